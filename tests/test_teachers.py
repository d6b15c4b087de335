"""The store of full-precision models: published, found, verified; users' own files beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bench.data.dataset import Dataset
from bench.errors import ModelCorrupt, ModelMissing, ResultsUnwritable, UnknownName
from bench.models import TeacherCard, build, find, from_file, publish, teachers, weights
from bench.models import card as cards

ROOT = Path(__file__).parents[1]

CIFAR = Dataset("cifar10", 10, {"train": 50_000, "test": 10_000}, "f" * 64, (0.5, 0.4, 0.3), (0.2, 0.21, 0.22))


@pytest.fixture
def network() -> nn.Module:
    return build("resnet20", 10).eval()


def card_of(network: nn.Module, **changes: Any) -> TeacherCard:
    card = TeacherCard(
        dataset="cifar10",
        model="resnet20",
        classes=10,
        sha256=weights.fingerprint(network.state_dict()),
        mean=(0.1, 0.2, 0.3),
        std=(1.0, 2.0, 3.0),
        provenance="measured",
        top1=0.9123,
        seed=0,
        epochs=60,
        recipe={"peak": 0.2, "nested": {"batch": 128}},
        data_fingerprint="f" * 64,
        record="r" * 64,
    )
    return replace(card, **changes)


def test_what_is_published_is_found_and_computes_the_same(network: nn.Module, tmp_path: Path) -> None:
    card = card_of(network)
    published = publish(tmp_path, card, network.state_dict())
    found = find(tmp_path, "cifar10", "resnet20")
    assert found == published
    assert found.card == card
    assert found.weights == tmp_path / "teachers" / "cifar10-resnet20.safetensors"
    copy, images = found.network(10), torch.randn(2, 3, 32, 32)
    assert not copy.training
    assert torch.equal(copy(images), network(images))
    assert found.network(10) is not copy


def test_publishing_again_gives_the_same_bytes(network: nn.Module, tmp_path: Path) -> None:
    publish(tmp_path / "a", card_of(network), network.state_dict())
    publish(tmp_path / "b", card_of(network), dict(reversed(network.state_dict().items())))
    for name in ("cifar10-resnet20.safetensors", "cifar10-resnet20.json"):
        assert (tmp_path / "a/teachers" / name).read_bytes() == (tmp_path / "b/teachers" / name).read_bytes()


def test_a_card_reads_well_in_git(network: nn.Module, tmp_path: Path) -> None:
    publish(tmp_path, card_of(network), network.state_dict())
    plain = json.loads((tmp_path / "teachers/cifar10-resnet20.json").read_text())
    assert plain["schema"] == 1
    assert plain["mean"] == [0.1, 0.2, 0.3]
    assert list(plain) == sorted(plain)


def test_a_card_of_other_weights_is_not_published(network: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="card of weights 000000000000 given"):
        publish(tmp_path, card_of(network, sha256="0" * 64), network.state_dict())
    assert list(tmp_path.iterdir()) == []


def test_the_card_comes_last(network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        assert path.with_suffix(".safetensors").is_file()
        raise ResultsUnwritable(f"cannot write {path}")

    monkeypatch.setattr(teachers, "write_text", full)
    with pytest.raises(ResultsUnwritable):
        publish(tmp_path, card_of(network), network.state_dict())
    with pytest.raises(ModelMissing):
        find(tmp_path, "cifar10", "resnet20")


def test_a_missing_teacher_names_the_command_in_one_line(network: nn.Module, tmp_path: Path) -> None:
    publish(tmp_path, card_of(network), network.state_dict())
    with pytest.raises(ModelMissing) as caught:
        find(tmp_path, "cifar100", "resnet20")
    message = str(caught.value)
    assert "python -m bench pretrain --dataset cifar100 --model resnet20" in message
    assert "--teacher FILE" in message and "\n" not in message


def test_a_card_without_weights_is_missing(network: nn.Module, tmp_path: Path) -> None:
    publish(tmp_path, card_of(network), network.state_dict()).weights.unlink()
    with pytest.raises(ModelMissing):
        find(tmp_path, "cifar10", "resnet20")


def test_an_unknown_model_is_a_typo_not_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean resnet20"):
        find(tmp_path, "cifar10", "resnt20")


def test_finding_imports_no_torch(network: nn.Module, tmp_path: Path) -> None:
    publish(tmp_path, card_of(network), network.state_dict())
    code = (
        "import sys, pathlib, bench.models as m\n"
        f"print(m.find(pathlib.Path({str(tmp_path)!r}), 'cifar10', 'resnet20').card.sha256, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == [card_of(network).sha256, "False"]


def test_weights_that_are_not_the_cards_are_refused(network: nn.Module, tmp_path: Path) -> None:
    teacher = publish(tmp_path, card_of(network), network.state_dict())
    weights.write(teacher.weights, build("resnet20", 10).state_dict())
    with pytest.raises(ModelCorrupt, match="holds other weights .* python -m bench pretrain --dataset cifar10"):
        find(tmp_path, "cifar10", "resnet20").network(10)


def test_a_changed_byte_is_refused(network: nn.Module, tmp_path: Path) -> None:
    teacher = publish(tmp_path, card_of(network), network.state_dict())
    data = bytearray(teacher.weights.read_bytes())
    data[-2] ^= 1
    teacher.weights.write_bytes(bytes(data))
    with pytest.raises(ModelCorrupt):
        teacher.network(10)


def test_another_class_count_is_refused(network: nn.Module, tmp_path: Path) -> None:
    teacher = publish(tmp_path, card_of(network), network.state_dict())
    with pytest.raises(ModelCorrupt, match="resnet20 with 100 classes: .*output.weight"):
        teacher.network(100)


def test_a_card_of_something_else_is_refused(network: nn.Module, tmp_path: Path) -> None:
    teacher = publish(tmp_path, card_of(network), network.state_dict())
    for suffix in (".safetensors", ".json"):
        teacher.weights.with_suffix(suffix).rename(tmp_path / f"teachers/cifar100-resnet20{suffix}")
    with pytest.raises(ModelCorrupt, match="card of resnet20 for cifar10, not of resnet20 for cifar100"):
        find(tmp_path, "cifar100", "resnet20")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\xff"])
def test_a_damaged_card_is_named(text: str, network: nn.Module, tmp_path: Path) -> None:
    teacher = publish(tmp_path, card_of(network), network.state_dict())
    teacher.weights.with_suffix(".json").write_bytes(text.encode("latin1"))
    with pytest.raises(ModelCorrupt, match="cifar10-resnet20.json"):
        find(tmp_path, "cifar10", "resnet20")


def test_all_mistakes_in_a_card_are_listed(network: nn.Module, tmp_path: Path) -> None:
    plain = card_of(network).plain()
    del plain["seed"]
    wrong = {"mean": [1, 2], "std": "x", "top1": 91.2, "provenance": "paper", "classes": "10", "sha256": "abc"}
    (tmp_path / "card.json").write_text(json.dumps({**plain, **wrong, "colour": 1}))
    with pytest.raises(ModelCorrupt) as caught:
        cards.read(tmp_path / "card.json")
    for phrase in ("no seed", "unknown colour", *(f"{key} must be" for key in wrong)):
        assert phrase in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("std", [1, 0, 1]), ("mean", [1, 2, float("nan")]), ("schema", 2)])
def test_one_mistake_in_a_card_is_refused(key: str, value: Any, network: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(json.dumps({**card_of(network).plain(), key: value}))
    with pytest.raises(ModelCorrupt, match=key):
        cards.read(tmp_path / "card.json")


def test_a_users_file_is_a_teacher_with_the_data_sets_normalisation(network: nn.Module, tmp_path: Path) -> None:
    torch.save({"state_dict": network.state_dict()}, tmp_path / "mine.pth")
    teacher = from_file(tmp_path / "mine.pth", CIFAR, "resnet20")
    expected = TeacherCard(
        "cifar10", "resnet20", 10, weights.fingerprint(network.state_dict()), (0.5, 0.4, 0.3), (0.2, 0.21, 0.22), "file"
    )
    assert teacher.card == expected
    assert teacher.card.top1 is None
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(teacher.network(10)(images), network(images))


@pytest.mark.parametrize("beside", ["mine.pth.zip.json", "mine.pth.json", "mine.json"])
def test_a_card_beside_a_users_file_gives_the_normalisation(beside: str, network: nn.Module, tmp_path: Path) -> None:
    torch.save(network.state_dict(), tmp_path / "mine.pth.zip")
    (tmp_path / beside).write_text('{"mean": [0.49, 0.48, 0.45], "std": [0.2, 0.2, 1]}')
    card = from_file(tmp_path / "mine.pth.zip", CIFAR, "resnet20").card
    assert (card.mean, card.std) == ((0.49, 0.48, 0.45), (0.2, 0.2, 1.0))


def test_a_published_teacher_can_be_given_as_a_file(network: nn.Module, tmp_path: Path) -> None:
    published = publish(tmp_path, card_of(network), network.state_dict())
    card = from_file(published.weights, CIFAR, "resnet20").card
    assert (card.sha256, card.mean, card.std) == (published.card.sha256, (0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    assert card.provenance == "file"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"mean": [0.5, 0.5, 0.5]}', "std must be 3 numbers, not None"),
        ('{"mean": [0, 0, 0], "std": [0, 1, 1]}', "std must be positive"),
        ('{"mean": [0, 0, 0], "std": [1, 1, 1], "sha256": "abc"}', "it is of other weights"),
        ("nonsense", "not readable as JSON"),
    ],
)
def test_a_wrong_card_beside_a_file_is_refused(text: str, reason: str, network: nn.Module, tmp_path: Path) -> None:
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(ModelCorrupt, match=f"mine.json.*{reason}"):
        from_file(tmp_path / "mine.pth", CIFAR, "resnet20")


def test_a_users_file_that_cannot_be_used_is_refused_at_once(network: nn.Module, tmp_path: Path) -> None:
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    with pytest.raises(ModelMissing, match="other.pth"):
        from_file(tmp_path / "other.pth", CIFAR, "resnet20")
    with pytest.raises(ModelCorrupt, match="resnet32 with 10 classes"):
        from_file(tmp_path / "mine.pth", CIFAR, "resnet32")
    with pytest.raises(ModelCorrupt, match="resnet20 with 100 classes"):
        from_file(tmp_path / "mine.pth", replace(CIFAR, classes=100), "resnet20")
    with pytest.raises(UnknownName, match="did you mean resnet20"):
        from_file(tmp_path / "mine.pth", CIFAR, "resnt20")

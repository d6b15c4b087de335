"""Weights in files: every container gives the same numbers, damaged or hostile ones give one clear error."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.errors import ModelCorrupt, ModelMissing, ResultsUnwritable
from bench.models import build, weights


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A ResNet-20 of which no tensor is at its initial value."""
    torch.manual_seed(0)
    made = build("resnet20", 10).eval()
    for tensor in made.state_dict().values():
        tensor.copy_(torch.rand(tensor.shape) + 0.1 if tensor.is_floating_point() else torch.tensor(7))
    return made


def save_zip(state: dict[str, Any], path: Path) -> None:
    """As pytorchcv releases its weights: a zip of one .pth, which is itself in torch's older format."""
    inner = path.with_name("inner.pth")
    save_legacy(state, inner)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "resnet20_cifar10-0597-9b0024ac.pth")
        archive.writestr("__MACOSX/._resnet20_cifar10-0597-9b0024ac.pth", b"junk")
    inner.unlink()


def save_legacy(state: dict[str, Any], path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


def without_counters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


ONE = torch.ones(1)
Save = Callable[[dict[str, Any], Path], object]
CONTAINERS: dict[str, tuple[str, Save]] = {
    "torch": ("w.pth", torch.save),
    "torch without a suffix": ("w", torch.save),
    "torch before 1.6": ("w.pth", save_legacy),
    "pytorchcv's zip": ("w.pth.zip", save_zip),
    "safetensors": ("w.safetensors", lambda state, path: weights.write(path, state)),
    "no counters": ("w.pth", lambda state, path: torch.save(without_counters(state), path)),
    "DataParallel": ("w.pth", lambda state, path: torch.save({f"module.{k}": v for k, v in state.items()}, path)),
    "parameters": ("w.pt", lambda state, path: torch.save({k: _parameter(v) for k, v in state.items()}, path)),
    **{
        f"under {key}": ("w.pth", lambda state, path, key=key: torch.save({"epoch": 3, "x": ONE, key: state}, path))
        for key in ("state_dict", "model", "net", "model_state")
    },
}


def _parameter(tensor: Tensor) -> Tensor:
    return nn.Parameter(tensor) if tensor.is_floating_point() else tensor


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_the_same_numbers(container: str, network: nn.Module, tmp_path: Path) -> None:
    name, save = CONTAINERS[container]
    save(dict(network.state_dict()), tmp_path / name)
    state = weights.read(tmp_path / name)
    assert weights.fingerprint(state) == weights.fingerprint(network.state_dict())
    loaded, images = build("resnet20", 10).eval(), torch.randn(2, 3, 32, 32)
    assert not torch.equal(loaded(images), network(images))
    weights.load_into(loaded, state, tmp_path / name)
    assert torch.equal(loaded(images), network(images))
    for key, tensor in without_counters(network.state_dict()).items():
        assert torch.equal(loaded.state_dict()[key], tensor), key


def test_the_fingerprint_is_what_the_documentation_says() -> None:
    state = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor(5), "bn.num_batches_tracked": torch.tensor(9)}
    total = hashlib.sha256()
    total.update(b'["a", "int64", []]' + (5).to_bytes(8, "little"))
    total.update(b'["b", "float32", [2, 3]]' + state["b"].numpy().astype("<f4").tobytes())
    assert weights.fingerprint(state) == total.hexdigest()


def test_the_fingerprint_ignores_order_memory_format_and_counters(network: nn.Module) -> None:
    state = network.state_dict()
    expected = weights.fingerprint(state)
    last = {k: v.contiguous(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in state.items()}
    assert any(not tensor.is_contiguous() for tensor in last.values())
    assert weights.fingerprint(last) == expected
    assert weights.fingerprint(dict(reversed(state.items()))) == expected
    assert weights.fingerprint(without_counters(state)) == expected
    sliced = {name: torch.stack([tensor, tensor], -1)[..., 0] for name, tensor in state.items()}
    assert weights.fingerprint(sliced) == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda t: {"w": t + torch.tensor([[0.0, 0.0], [0.0, 1e-6]])},
        lambda t: {"v": t},
        lambda t: {"w": t.reshape(4)},
        lambda t: {"w": t.T},
        lambda t: {"w": t.view(torch.int32)},
        lambda t: {"w": t.to(torch.bfloat16)},
        lambda t: {"w": t, "x": t},
        lambda t: {},
    ],
)
def test_the_fingerprint_sees_every_change(change: Callable[[Tensor], dict[str, Tensor]]) -> None:
    tensor = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert weights.fingerprint(change(tensor)) != weights.fingerprint({"w": tensor})


def test_written_bytes_depend_on_the_weights_alone(network: nn.Module, tmp_path: Path) -> None:
    state = network.state_dict()
    weights.write(tmp_path / "a.safetensors", state)
    weights.write(tmp_path / "b.safetensors", dict(reversed(state.items())))
    last = {k: v.contiguous(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in state.items()}
    weights.write(tmp_path / "c.safetensors", last)
    assert len({(tmp_path / f"{name}.safetensors").read_bytes() for name in "abc"}) == 1


def test_tensors_that_share_memory_can_be_written(tmp_path: Path) -> None:
    both = torch.arange(4.0)
    weights.write(tmp_path / "w.safetensors", {"a": both[:2], "b": both, "c": both})
    assert weights.read(tmp_path / "w.safetensors")["a"].tolist() == [0, 1]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.safetensors"
    weights.write(path, {"a": torch.ones(2)})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResultsUnwritable, match="No space left"):
        weights.write(path, {"a": torch.zeros(2)})
    assert weights.read(path)["a"].tolist() == [1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["w.safetensors"]


class Hostile:
    """An object whose unpickling makes a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("container", ["torch", "torch before 1.6", "pytorchcv's zip", "under state_dict", "pickle"])
def test_code_in_a_file_is_refused_and_never_runs(container: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    content = {"output.weight": torch.ones(2), "payload": Hostile(marker)}
    plain = ("w.pth", lambda state, path: path.write_bytes(pickle.dumps(state, protocol=2)))
    name, save = CONTAINERS.get(container, plain)
    save(content, tmp_path / name)
    pickle.loads(pickle.dumps(Hostile(marker)))
    assert marker.is_dir(), "the payload works where it is unpickled"
    marker.rmdir()
    with pytest.raises(ModelCorrupt, match=f"{name} .*torch.save\\(model.state_dict"):
        weights.read(tmp_path / name)
    assert not marker.exists()


def test_a_whole_pickled_network_is_refused_with_the_way_out(network: nn.Module, tmp_path: Path) -> None:
    torch.save(network, tmp_path / "w.pth")
    with pytest.raises(ModelCorrupt, match=r"holds a Python object \(bench.models.resnet.ResNet\), which is"):
        weights.read(tmp_path / "w.pth")


@pytest.mark.parametrize("container", ["torch", "torch before 1.6", "pytorchcv's zip", "safetensors"])
@pytest.mark.parametrize("keep", [0.0, 0.0001, 0.01, 0.5, 0.99999])
def test_a_truncated_file_is_refused(container: str, keep: float, network: nn.Module, tmp_path: Path) -> None:
    name, save = CONTAINERS[container]
    path = tmp_path / name
    save(dict(network.state_dict()), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(ModelCorrupt, match=name):
        weights.read(path)


@pytest.mark.parametrize("name", ["w.pth", "w.pth.zip", "w.safetensors"])
def test_other_files_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("<html>404: Not Found</html>")
    with pytest.raises(ModelCorrupt, match=name):
        weights.read(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({}, "holds no weights"),
        ({"epoch": 3, "optimizer": {"a": torch.ones(1)}}, "but keys epoch, optimizer"),
        ({"state_dict": {"a": 1.0}}, "but keys state_dict"),
        ([torch.ones(1)], "but list"),
        (torch.ones(1), "but Tensor"),
        ({0: torch.ones(1)}, "but keys 0"),
    ],
)
def test_a_file_without_weights_says_what_it_holds(content: Any, found: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(ModelCorrupt, match=found):
        weights.read(tmp_path / "w.pth")


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(ModelMissing, match="no such weights file"):
            weights.read(path)


def test_one_name_with_the_prefix_is_no_wrapped_network(tmp_path: Path) -> None:
    torch.save({"module.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "w.pth")
    assert sorted(weights.read(tmp_path / "w.pth")) == ["b", "module.a"]


def unfit(classes: int, name: str, state: dict[str, Tensor]) -> str:
    """Message about weights that do not fit; the network must come out unchanged."""
    model = build(name, classes)
    before = weights.fingerprint(model.state_dict())
    with pytest.raises(ModelCorrupt) as caught:
        weights.load_into(model, state, Path("some/w.pth"), f"{name} with {classes} classes")
    assert weights.fingerprint(model.state_dict()) == before
    return str(caught.value)


def test_a_wrong_class_count_is_told(network: nn.Module) -> None:
    message = unfit(100, "resnet20", network.state_dict())
    assert message.startswith("some/w.pth does not hold the weights of resnet20 with 100 classes: 2 unfitting")
    assert "output.weight is float32 [10, 64] instead of float32 [100, 64]" in message


def test_a_wrong_network_is_told_shortly(network: nn.Module) -> None:
    missing = unfit(10, "resnet32", network.state_dict())
    assert "60 missing (features.stage1.unit4.body.conv1.bn.bias, " in missing
    assert "..." in missing and len(missing) < 300
    unexpected = unfit(10, "resnet20", {**network.state_dict(), "extra.weight": torch.ones(1)})
    assert unexpected.endswith(": 1 unexpected (extra.weight)")


def test_a_type_that_would_round_is_refused(network: nn.Module) -> None:
    state = dict(network.state_dict())
    state["output.bias"] = state["output.bias"].double()
    assert "output.bias is float64 [10] instead of float32 [10]" in unfit(10, "resnet20", state)

"""`evaluate`: a stored model is scored again, without training, and held to its record."""

from __future__ import annotations

import base64
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from recordfactory import make_record
from storedcells import scored, tiny_split
from workplace import CLASSES, Workplace, make

from bench import records
from bench.cli import main
from bench.evaluate.rescore import evaluate
from bench.evaluate.target import Brought, Target, find
from bench.models.teachers import path_of
from bench.models.weights import read, write
from bench.records import Record, seal


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workplace, Record]:
    """A workplace with one finished cell, and its record."""
    place = make(tmp_path_factory.mktemp("place"))
    return place, scored(place)


def run(place: Workplace, *arguments: str) -> int:
    places = ("--results", str(place.results), "--data-root", str(place.data), "--threads", "1", "--device", "cpu")
    return main(["evaluate", *places, *arguments])


def copied(cell: tuple[Workplace, Record], folder: Path) -> tuple[Workplace, Record]:
    """The same in a folder of its own, to be damaged."""
    shutil.copytree(cell[0].results, folder / "results")
    return replace(cell[0], results=folder / "results"), cell[1]


def same_answers(target: Target, place: Workplace) -> float:
    """Share of test images on which both models of a target answer the same."""
    card = target.teacher.card
    pixels = torch.from_numpy(tiny_split(place).images).float() / 255
    images = ((pixels - torch.tensor(card.mean)) / torch.tensor(card.std)).permute(0, 3, 1, 2)
    with torch.no_grad():
        own, full = (model(images).argmax(1) for model in (target.model, target.full))
    return float((own == full).float().mean().double().round(decimals=2))


def test_a_cell_scores_as_its_record_says_image_for_image(cell: tuple[Workplace, Record]) -> None:
    place, record = cell
    (target,) = find(place.results, record.id[:8], Brought(place.data, None, None))
    found = evaluate(target, place.data, "cpu", 1)
    assert (found.top1, found.recorded, found.differ) == (record.result["top1"]["last"],) * 2 + (0,)
    labels = tiny_split(place).labels
    assert [of for _, of in found.classes] == np.bincount(labels).tolist() == [25] * CLASSES
    assert sum(right for right, _ in found.classes) == round(100 * found.top1)
    assert found.interval[0] < found.top1 < found.interval[1]
    assert found.agreement == same_answers(target, place)
    assert found.top5 == 1.0  # there are only four classes


def test_a_file_of_packed_weights_is_its_records(
    cell: tuple[Workplace, Record], capsys: pytest.CaptureFixture[str]
) -> None:
    place, record = cell
    assert run(place, str(place.results / record.run["weights_file"])) == 0
    shown = capsys.readouterr().out
    assert f"tiny {record.cell.label} ({record.id[:16]})" in shown
    assert "identical, image for image" in shown


def test_images_on_which_a_record_differs_are_counted(
    cell: tuple[Workplace, Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, record = copied(cell, tmp_path)
    bits = np.unpackbits(np.frombuffer(base64.b64decode(record.result["correct"]), np.uint8))
    bits[[3, 50, 99]] ^= 1
    correct = base64.b64encode(np.packbits(bits).tobytes()).decode()
    records.write(place.results, replace(record, result=seal({**record.result, "correct": correct})))
    assert run(place, record.id) == 0
    assert "right or wrong on 3 other images" in capsys.readouterr().out


def test_a_full_precision_model_is_found_by_its_file(
    cell: tuple[Workplace, Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, _ = cell
    file = path_of(place.results, "tiny", "resnet20")
    assert run(place, str(file)) == 0
    shown = capsys.readouterr().out
    assert "tiny resnet20 (tiny-resnet20.safetensors)" in shown
    assert "agreement" not in shown and "record" not in shown
    own = tmp_path / "mine.safetensors"
    write(own, read(file))
    assert run(place, str(own), "--dataset", "tiny", "--model", "resnet20") == 0
    assert shown.splitlines()[1] == capsys.readouterr().out.splitlines()[1]


def test_the_record_of_a_full_precision_training_is_its_stored_model(
    cell: tuple[Workplace, Record], tmp_path: Path
) -> None:
    place, record = copied(cell, tmp_path)
    plain = {"method": "pretrain", "bits": {"w": 32, "a": 32}, "init": "", "tutor": "", "dataset": "tiny"}
    result = {"weights": record.cell.init, "correct": record.result["correct"]}
    made = make_record(spec=plain, data=record.data, result=result)
    records.write(place.results, made)
    (target,) = find(place.results, made.id, Brought(place.data, None, None))
    found = evaluate(target, place.data, "cpu", 1)
    assert (found.agreement, found.recorded) == (None, 0.875)
    assert found.differ is not None and found.differ > 0


def test_mistakes_get_one_clear_line(
    cell: tuple[Workplace, Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, record = copied(cell, tmp_path)

    def line(*arguments: str) -> str:
        assert run(place, *arguments) == 2
        (found,) = capsys.readouterr().err.splitlines()
        return found

    assert "no cell whose id begins with 'zz' has a record" in line("zz")
    failed = make_record(spec={"dataset": "tiny", "seed": 5}, status="failed")
    records.write(place.results, failed)
    assert f"({failed.id[:16]}) is failed and left no model; run its suite again" in line(failed.id)
    assert "2 cells have ids that begin with ''" in line("")
    assert "nowhere.safetensors: no such weights file" in line("nowhere.safetensors")
    stray = place.results / "weights" / "stray.safetensors"
    stray.write_bytes(b"")
    assert "stray.safetensors: no record in" in line(str(stray))
    assert "say what it is: --dataset NAME --model NAME" in line(__file__)
    file = place.results / record.run["weights_file"]
    file.write_bytes(file.read_bytes()[:-100])
    assert f"{file} is not a readable safetensors file" in line(record.id)
    file.unlink()
    assert "its weights are not in" in line(record.id)


def test_other_images_and_missing_ones_are_refused(
    cell: tuple[Workplace, Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, record = copied(cell, tmp_path)
    assert run(replace(place, data=tmp_path), record.id) == 2
    assert "tiny" in capsys.readouterr().err
    records.write(place.results, replace(record, data={**record.data, "fingerprint": "0" * 64}))
    assert run(place, record.id) == 2
    assert "holds other images than those of" in capsys.readouterr().err

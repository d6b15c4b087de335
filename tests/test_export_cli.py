"""The verb `export`: what it writes and says, and what it refuses in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from recordfactory import make_record
from tiny import network
from workplace import CLASSES, Workplace, make

from bench import records
from bench.cli import main
from bench.models import TeacherCard, publish, weights
from bench.models.weights import fingerprint
from bench.quant.convert import quantize, tracking
from bench.quant.describe import activation_ranges
from bench.quant.pack import pack
from bench.spec import Bits


@pytest.fixture(autouse=True, scope="module")
def single() -> Iterator[None]:
    """One thread: two that share a busy core wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """A workplace with one finished cell."""
    made = make(tmp_path / "place")
    store(made.results)
    return made


def store(results: Path) -> None:
    """A finished cell of `tiny` at W4A4, and the model that it started from."""
    state = network("resnet20", CLASSES).state_dict()
    card = TeacherCard("tiny", "resnet20", CLASSES, fingerprint(state), (0.5,) * 3, (0.2,) * 3, "measured")
    publish(results, card, state)
    model = quantize(network("resnet20", CLASSES), Bits(4, 4), "corrected")
    with torch.no_grad(), tracking(model):
        model(torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    name = "weights/cell.safetensors"
    weights.write(results / name, pack(model))
    spec = {"dataset": "tiny", "init": card.sha256, "tutor": card.sha256}
    record = make_record(spec=spec, run={"weights_file": name}, result={"ranges": activation_ranges(model)})
    records.write(results, record)


def export(place: Workplace, *arguments: str) -> int:
    places = ["--results", str(place.results), "--data-root", str(place.data)]
    return main(["export", *arguments, *places, "--threads", "1"])


def test_a_stored_cell_becomes_a_file_and_a_report_of_its_kernels(
    place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (record,) = place.records()
    file = tmp_path / "new folder" / "model.onnx"
    assert export(place, record.id[:8], "--onnx", str(file), "--check") == 0
    facts = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert (facts["cell"], facts["bits"], facts["mean"]) == (record.id, "W4A4", "[0.5, 0.5, 0.5]")
    said = capsys.readouterr().out
    assert "onnxruntime int8: 20 of 21 convolutions run on integer kernels; this CPU has " in said
    assert "2 of 22 layers float32: its input is not quantized (features.init_block.conv, output)" in said
    assert "top-1 on 100 test images: " in said


def test_a_record_may_be_given_by_path_and_the_file_has_a_name_of_its_own(
    place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (path,) = (place.results / "records").rglob("*.json")
    assert export(place, str(path), "--onnx") == 0
    assert export(place, str(path), "--onnx", "--fp32") == 0
    assert {file.name for file in tmp_path.glob("*.onnx")} == {
        "tiny-gdfq-resnet20-w4a4-quick-s0.onnx",
        "tiny-gdfq-resnet20-w4a4-quick-s0-fp32.onnx",
    }
    assert "onnxruntime fp32: 0 of 21 convolutions run on integer kernels" in capsys.readouterr().out


def damage(place: Workplace) -> None:
    (file,) = (place.results / "weights").glob("*")
    file.write_bytes(file.read_bytes()[:-1000])


def lose(place: Workplace) -> None:
    (file,) = (place.results / "weights").glob("*")
    file.unlink()


def fail(place: Workplace) -> None:
    (record,) = place.records()
    records.write(place.results, replace(record, status="failed", reason="out of luck", result={}))


def run_elsewhere(place: Workplace) -> None:
    (record,) = place.records()
    records.write(place.results, replace(record, platform="cpu/torch-2.15.0/4-threads"))


def make_full(place: Workplace) -> None:
    (record,) = place.records()
    records.write(place.results, replace(record, spec={**record.spec, "bits": {"w": 32, "a": 32}}))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (damage, "is not a readable safetensors file"),
        (lose, "its weights are not in"),
        (fail, "is failed and left no model"),
        (run_elsewhere, "has 2 records; give the path of one: "),
        (make_full, "is a full-precision model; give a cell that started from it"),
    ],
)
def test_a_cell_without_a_model_is_refused_in_one_line(
    place: Workplace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Workplace], None],
    told: str,
) -> None:
    (record,) = place.records()
    spoil(place)
    refused(place, tmp_path / "model.onnx", record.id[:8], told, capsys)


def test_the_path_of_an_unfinished_record_is_refused_too(
    place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(place)
    (path,) = (place.results / "records").rglob("*.json")
    refused(place, tmp_path / "model.onnx", str(path), "is failed and left no model", capsys)


@pytest.mark.parametrize(
    ("cell", "told"), [("0000", "no cell whose id begins with '0000'"), ("none.json", "there is no record none.json")]
)
def test_what_is_no_cell_is_refused(
    place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str], cell: str, told: str
) -> None:
    refused(place, tmp_path / "model.onnx", cell, told, capsys)


def test_a_path_that_cannot_be_written_is_named(
    place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "model.onnx"
    refused(place, target, place.records()[0].id[:8], f"cannot write {target}", capsys)


@pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_the_extra_that_installs_it(
    place: Workplace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    told = f"exporting needs the package {name}: pip install 'lowbit-bench[export]'"
    refused(place, tmp_path / "model.onnx", place.records()[0].id[:8], told, capsys)


def refused(place: Workplace, file: Path, cell: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that an export ends with one line that tells why, and writes nothing."""
    assert export(place, cell, "--onnx", str(file)) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert (said.err.count("\n"), said.out) == (1, "")
    assert not file.exists()

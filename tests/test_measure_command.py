"""`measure`: what it leaves, what it shows, and what it says where it cannot measure."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from storedcells import finished, scored
from tiny import student
from workplace import give_teacher, make

from bench.cli import main
from bench.cli.measured import Found, show
from bench.data import load_split
from bench.errors import RecordInvalid
from bench.evaluate import steps
from bench.measure import environment, measurement
from bench.measure.measurement import KINDS, Measurement
from bench.measure.quiet import Training
from bench.measure.stored import stored
from bench.models import weights
from bench.quant.pack import pack
from bench.records import Record
from bench.runner.evaluate import TestImages as Images
from bench.runner.evaluate import score


@pytest.fixture(autouse=True, scope="module")
def single() -> Iterator[None]:
    """One thread: two that share a busy core wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No training outside of a test is asked to pause."""
    monkeypatch.setenv("BENCH_RUNTIME", str(tmp_path / "runtime"))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    """A results folder with one cell, already measured with one thread at batch sizes 1 and 3, and its record."""
    results = tmp_path_factory.mktemp("results")
    record = finished(results)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_RUNTIME", str(results / "runtime"))
        assert measure(results, record.id[:8]) == 0
    return results, record


def measure(results: Path, *more: str) -> int:
    few = ("--kind", "latency", "--batch", "1,3", "--samples", "10", "--threads", "1", "--device", "cpu", "--wait", "5")
    return main(["measure", *few, *more, "--results", str(results)])


def both(results: Path, batch: int = 3, engine: str = "eager") -> tuple[Measurement, Measurement]:
    """The latencies of the cell's and of the full-precision model at a batch size."""
    found = [m for m in measurement.load(results) if m.batch == batch and m.kernel.startswith(engine)]
    own, full = sorted(found, key=lambda m: m.bits["w"])
    return own, full


def test_measuring_leaves_a_measurement_of_the_cell_and_one_of_its_full_precision_model(
    measured: tuple[Path, Record],
) -> None:
    results, record = measured
    for batch in (1, 3):
        own, full = both(results, batch)
        assert (own.model, own.cells, own.bits) == (record.result["weights"], [record.id], {"w": 4, "a": 4})
        assert (full.model, full.cells, full.bits) == (record.spec["init"], ["f" * 64], {"w": 32, "a": 32})
        assert (own.kernel, full.kernel) == ("eager fake-quantized fp32", "eager fp32")
        assert own.beside == {"model": full.model, "kernel": full.kernel, "values": full.values}
        assert len(own.values["samples"]) == len(full.values["samples"]) == 10
        assert own.ratio == own.values["p50"] / full.values["p50"]
        assert (full.ratio, own.time, own.seen) == (None, full.time, full.seen)
        assert own.platform == f"cpu/torch-{torch.__version__.split('+')[0]}/1-threads"
        assert own.processor == own.environment["processor"]


def test_what_was_measured_is_shown_again_and_measured_only_on_request(
    measured: tuple[Path, Record], capsys: pytest.CaptureFixture[str]
) -> None:
    results, record = measured
    own, _ = both(results)
    assert measure(results) == 0
    shown = capsys.readouterr()
    assert both(results)[0] == own
    assert "measuring" not in shown.err
    assert f" {1000 * own.values['p50']:.3f} " in shown.out
    assert "says nothing of low-bit arithmetic" in shown.out
    assert measure(results, "--again", "--batch", "3") == 0
    assert both(results)[0].values != own.values
    lines = capsys.readouterr().err.splitlines()
    name = f"measuring shapes10 {record.cell.label} ({record.id[:16]}): latency"
    assert lines == [f"{name} at batch size 3", f"{name} in onnxruntime at batch size 3"]


def test_another_batch_size_is_measured_beside_the_others(measured: tuple[Path, Record]) -> None:
    results, _ = measured
    before = both(results, 3)
    assert measure(results, "--batch", "2", "--samples", "1") == 0
    assert len(both(results, 2)[0].values["samples"]) == 1
    assert both(results, 3) == before


def test_the_table_marks_what_was_disturbed(measured: tuple[Path, Record]) -> None:
    results, record = measured
    calm = replace(both(results)[0], disturbed=[])
    loud = replace(calm, batch=128, disturbed=["other processes used 1.00 of 2 cores"])
    lines = show([Found(record, [calm, loud])]).splitlines()
    rows = [line for line in lines if line.startswith("| shapes10") and calm.kernel in line]
    assert [line.rstrip(" |").endswith("*") for line in rows] == [False, True]
    (told,) = [line for line in lines if line.startswith("*")]
    assert told.endswith("batch 128, disturbed: other processes used 1.00 of 2 cores")


def test_a_measurement_that_was_touched_or_is_foreign_is_refused(measured: tuple[Path, Record], tmp_path: Path) -> None:
    results, _ = measured
    path = next((results / "measurements").glob("*fake-quantized*.json"))
    plain = json.loads(path.read_text())
    copy = tmp_path / "measurements" / path.name
    copy.parent.mkdir()
    for change, told in (
        ({"time": "2020-01-01T00:00:00Z"}, "does not match its digest"),
        ({"disturbed": []} if plain["disturbed"] else {"disturbed": ["x"]}, "does not match its digest"),
        ({"kernel": "int8"}, "unknown kernel 'int8'"),
        ({"model": "short"}, "64 hex digits"),
        ({"disturbed": "none"}, "list of sentences"),
        ({"values": {"p50": 1.0}}, "values of kind 'latency' must be images_per_second, p50, p90, p99, samples"),
        ({"values": plain["values"] | {"p50": "quick"}}, "values p50 are no numbers"),
        ({"schema": 2}, "schema 2"),
        ({"colour": "red"}, "not a measurement"),
    ):
        copy.write_text(json.dumps(plain | change))
        with pytest.raises(RecordInvalid, match=told):
            measurement.read(copy)
        (found,) = measurement.scan(tmp_path)
        assert isinstance(found, RecordInvalid)
    copy.write_text(json.dumps(plain)[:-9])
    with pytest.raises(RecordInvalid, match="not readable as JSON"):
        measurement.read(copy)


def test_mistakes_get_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def line(*arguments: str) -> str:
        assert measure(tmp_path, *arguments) == 2
        (found,) = capsys.readouterr().err.splitlines()
        return found

    assert "no cell whose id was ever run" in line()
    record = finished(tmp_path)
    capsys.readouterr()
    assert "no cell whose id begins with 'zz' has a record" in line("zz")
    assert "no finished cell of a quantized model matches" in line("--bits", "W3A3")
    card = tmp_path / "teachers" / "shapes10-resnet20.json"
    card.rename(card.with_suffix(".away"))
    assert f"the full-precision model {record.spec['init'][:12]} is not in" in line(record.id)
    card.with_suffix(".away").rename(card)
    file = tmp_path / record.run["weights_file"]
    weights.write(file, pack(student("W4A4")))
    assert "the activation ranges are not those of the record" in line()
    file.unlink()
    assert f"({record.id[:16]}): its weights are not in" in line()
    assert not (tmp_path / "measurements").exists()


def test_every_kind_is_measured_shown_and_left_out_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "SAMPLES", 1)
    place = make(tmp_path / "place")
    record = scored(place)
    more = ("--kind", ",".join(KINDS), "--batch", "2", "--samples", "2", "--data-root", str(place.data))
    assert measure(place.results, *more) == 0
    shown = capsys.readouterr()
    found = {(m.kind, m.kernel.split()[0], m.bits["w"]): m for m in measurement.load(place.results)}
    assert found.keys() == {
        *(("cost", "none", bits) for bits in (4, 32)),
        *(("memory", "eager", bits) for bits in (4, 32)),
        *(("latency", engine, bits) for engine in ("eager", "onnxruntime") for bits in (4, 32)),
        ("step", "eager", 4),
    }
    assert {m.model for m in found.values() if m.bits["w"] == 4} == {record.result["weights"]}
    assert found["step", "eager", 4].batch == 16
    assert found["latency", "onnxruntime", 4].beside["kernel"] == "onnxruntime fp32"
    assert found["latency", "onnxruntime", 4].settings["convolutions"] == 21
    memory, packed = found["memory", "eager", 4].values, found["cost", "none", 4].values["packed_bytes"]
    own, full = [
        line.split("|") for line in shown.out.splitlines() if line.startswith("| tiny") and "eager" not in line
    ][:2]
    assert f"{(memory['resident'] - memory['baseline']) / 2**20:.1f}" in own[8]
    assert (own[6].strip(), own[1].split()[1]) == (f"{packed / 1024:.1f}", record.cell.label)
    assert "full precision" in full[1]
    on_gpu = replace(found["memory", "eager", 4], values={**memory, "allocated": 5 * 2**20})
    assert "5.0" in show([Found(record, [on_gpu])]).splitlines()[2]
    blind = replace(found["memory", "eager", 4], values={**memory, "resident": None})
    assert blind.peak_bytes is None
    assert shown.err.splitlines()[-1] == "not measured: energy: NVML reads no energy counter on this cpu"


def test_what_a_step_or_the_runtime_lacks_is_said_in_one_line_and_the_rest_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    place = make(tmp_path / "place")
    scored(place)
    more = ("--kind", "latency,step,cost", "--batch", "1", "--samples", "1", "--data-root", str(tmp_path / "nothing"))
    assert measure(place.results, *more) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("not measured")]
    assert [("lowbit-bench[export]" in line, "tiny" in line) for line in said] == [(True, False), (False, True)]
    assert {m.kind for m in measurement.load(place.results)} == {"latency", "cost"}
    assert measure(place.results, "--kind", "step", "--data-root", str(tmp_path / "nothing")) == 1


def test_a_gpu_that_is_not_there_is_the_persons_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "gpu_name", lambda: None)
    assert measure(tmp_path, "--device", "cuda") == 2
    assert capsys.readouterr().err == "error: there is no NVIDIA GPU here to measure on; give --device cpu\n"


def test_a_training_that_does_not_pause_stops_the_measurement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(tmp_path)
    with Training("cpu"):
        assert measure(tmp_path, "--wait", "0.3") == 2
    assert f"training process {os.getpid()} reached no step boundary" in capsys.readouterr().err
    assert not (tmp_path / "measurements").exists()


@pytest.mark.slow
def test_a_cell_of_a_sweep_is_measured_and_is_the_model_of_its_record(tmp_path: Path) -> None:
    place = make(tmp_path / "place")
    give_teacher(place)
    assert place.bench("run", str(place.suite), "--no-sync").returncode == 0
    (record,) = place.records()
    test = load_split("tiny", place.data, "test")
    found = stored(place.results, record)
    card = found.init.card
    mean, std = torch.tensor(card.mean), torch.tensor(card.std)
    images = Images(torch.from_numpy(test.images), torch.from_numpy(test.labels), mean, std)
    assert score(found.model, images).packed() == record.result["correct"]
    assert measure(place.results) == 0
    assert both(place.results)[0].cells == [record.id]

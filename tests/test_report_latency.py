"""Latency beside rows: by kernel and machine, with what simulates and what was disturbed named."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from reportrecords import CELL, INIT, curved, record, store

from bench.measure import measurement
from bench.measure.kernels import EAGER_FP32, FAKE_QUANTIZED, RUNTIME_INT8, TRAINING
from bench.measure.measurement import Measurement
from bench.report import table
from bench.report.documents import documents
from bench.spec import FULL_BITS

OWN = "ab" * 32
CPU = "cpu/torch-2.15.0/2-threads"


def speed(p50: float) -> dict[str, object]:
    return {"samples": [p50] * 3, "p50": p50, "p90": 2 * p50, "p99": None, "images_per_second": 1 / p50}


def latency(kernel: str, p50: float, model: str = OWN, bits: int = 4, processor: str = "Some CPU avx2") -> Measurement:
    """A latency at batch 1, in turn with a full-precision model of 10 ms."""
    return Measurement(
        kind="latency", kernel=kernel, model=model, cells=[], name={"dataset": "cifar10", "model": "resnet20"},
        bits={"w": bits, "a": bits}, platform=CPU, processor=processor, batch=1, values=speed(p50),
        beside={"model": INIT, "kernel": EAGER_FP32, "values": speed(0.01)}, settings={}, disturbed=[], seen={},
        environment={}, time="2026-11-21T02:00:00Z",
    )  # fmt: skip


def also(of: Measurement, kind: str, **values: object) -> Measurement:
    """Another kind, measured in the same way."""
    whole = {**dict.fromkeys(measurement.VALUES[kind]), **values}
    return replace(of, kind=kind, values=whole, beside=None)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with one quantized model and the full-precision one, measured on three kernels."""
    store(tmp_path, [record(CELL, curved(0.8, weights=OWN))])
    for made in (
        latency(FAKE_QUANTIZED, 0.03),
        latency(RUNTIME_INT8, 0.004),
        latency(EAGER_FP32, 0.01, INIT, FULL_BITS),
        also(latency(FAKE_QUANTIZED, 0.03), "memory", resident=500_000_000, baseline=420_000_000),
        also(latency(FAKE_QUANTIZED, 0.03), "energy", joules_per_1000=12.5),
    ):
        measurement.write(tmp_path, made)
    return tmp_path


def lines(results: Path) -> list[dict[str, str]]:
    """The rows of the CSV."""
    (document,) = documents(table.build(results), ["latency"])
    return list(csv.DictReader(io.StringIO(table.csv(document))))


def test_lines_are_joined_with_rows_by_the_weights_alone(results: Path) -> None:
    measurement.write(results, latency(FAKE_QUANTIZED, 0.5, "cd" * 32))
    found = {line["kernel"]: (line["method"], line["p50_seconds"], line["times_fp32"]) for line in lines(results)}
    assert found == {
        EAGER_FP32: ("full precision", "0.010000", "1.000000"),
        FAKE_QUANTIZED: ("gdfq", "0.030000", "3.000000"),
        RUNTIME_INT8: ("gdfq", "0.004000", "0.400000"),
    }


def test_kernels_stand_apart_and_the_simulated_one_says_so(results: Path) -> None:
    (document,) = documents(table.build(results), ["latency"])
    (grid,) = document.grids
    assert [section[0][0] for section in grid.sections] == sorted((EAGER_FP32, FAKE_QUANTIZED, RUNTIME_INT8))
    notes = " ".join(grid.notes)
    assert "simulates low bits" in notes and "Numbers of different kernels or machines do not rank" in notes


def test_training_steps_stand_apart_and_are_called_what_they_are(results: Path) -> None:
    assert "is no latency" not in table.terminal(table.build(results), kind="latency")
    measurement.write(results, replace(latency(TRAINING, 0.2), kind="step", beside=None))
    (step,) = [line for line in lines(results) if line["kernel"] == TRAINING]
    assert (step["p50_seconds"], step["times_fp32"]) == ("0.200000", "")
    assert f"{TRAINING} is no latency" in " ".join(table.terminal(table.build(results), kind="latency").split())


def test_memory_and_energy_stand_beside_what_was_measured_alike(results: Path) -> None:
    found = {line["kernel"]: (line["memory_bytes"], line["joules_per_1000_images"]) for line in lines(results)}
    assert found[FAKE_QUANTIZED] == ("80000000.000000", "12.500000")
    assert found[RUNTIME_INT8] == ("", "")


def test_what_was_disturbed_and_on_how_many_machines_is_said(results: Path) -> None:
    disturbed = replace(latency(RUNTIME_INT8, 0.005, processor="Other CPU"), disturbed=["another process took 50 %"])
    measurement.write(results, disturbed)
    one_line = " ".join(table.terminal(table.build(results), kind="latency").split())
    assert "These are measurements on 2 machines" in one_line
    assert "W4A4, gdfq, seed 0, batch 1, on m1: another process took 50 %" in one_line
    assert [line["disturbed"] for line in lines(results)].count("") == 3


def test_a_measurement_changed_by_hand_is_reported_and_left_out(results: Path) -> None:
    path = measurement.path_of(results, latency(RUNTIME_INT8, 0.004))
    path.write_text(path.read_text().replace('"p50": 0.004', '"p50": 0.001'))
    report = table.build(results)
    assert [(file.path, "digest" in file.reason) for file in report.unusable] == [(f"measurements/{path.name}", True)]
    assert RUNTIME_INT8 not in table.terminal(report, kind="latency")


def test_without_measurements_there_is_no_file(tmp_path: Path) -> None:
    store(tmp_path, [record()])
    assert not [path for path in table.write(tmp_path) if path.parent.name == "latency"]
    assert table.terminal(table.build(tmp_path), kind="latency").startswith("Nothing to show yet of: latency")

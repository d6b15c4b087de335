"""The cost of rows: what their records tell, what is amortised, and what is absent in older records."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from reportrecords import CELL, curved, record, store

from bench.measure import measurement
from bench.measure.kernels import NONE
from bench.measure.measurement import ANY, Measurement
from bench.report import table
from bench.report.documents import documents

GPU = "cuda-sm90/torch-2.15.0/16-threads"
SECONDS = {"draw": 900.0, "learn": 500.0, "evaluate": 60.0, "other": 30.0}
MEMORY = {"resident": 2e9, "allocated": 5e8, "reserved": 6e8, "nvml_process": "unknown", "nvml_device": 1e9}
RUN: dict[str, Any] = {
    "seconds": SECONDS,
    "cpu_seconds": {"draw": 1800.0, "learn": 900.0, "evaluate": 100.0, "other": 40.0},
    "shared": 3,
    "images": 640_000,
    "energy_joules": 12_345.0,
    "peak_bytes": {"rss": 3e9, "train": MEMORY, "evaluate": {**MEMORY, "allocated": 2e8}},
}


def costs(results: Path) -> list[dict[str, str]]:
    """The rows of the CSV."""
    (document,) = documents(table.build(results), ["cost"])
    return list(csv.DictReader(io.StringIO(table.csv(document))))


def counted(model: str, packed: int, plain: int) -> Measurement:
    """What was counted of a model."""
    values = {
        "macs": 40_000_000, "bit_operations": 640_000_000, "packed_bytes": packed, "fp32_bytes": plain,
        "packed": {}, "layers": [],
    }  # fmt: skip
    return Measurement(
        kind="cost", kernel=NONE, model=model, cells=[], name={"dataset": "cifar10", "model": "resnet20"},
        bits={"w": 4, "a": 4}, platform=ANY, processor=ANY, batch=1, values=values, beside=None, settings={},
        disturbed=[], seen={}, environment={}, time=None,
    )  # fmt: skip


def test_time_is_told_alone_and_amortised_over_the_cells_of_the_run(tmp_path: Path) -> None:
    store(tmp_path, [record(run=RUN)])
    (row,) = costs(tmp_path)
    assert float(row["seconds"]) == 1490.0
    assert float(row["amortised_seconds"]) == pytest.approx(900 / 3 + 30 / 3 + 500 + 60)
    assert float(row["cpu_seconds"]) == 2840.0
    assert row["gpu_seconds"] == ""


def test_a_gpu_tells_its_own_seconds_and_memory(tmp_path: Path) -> None:
    store(tmp_path, [record(run=RUN), record(run=RUN, platform=GPU)])
    cpu, gpu = sorted(costs(tmp_path), key=lambda row: row["platform"])
    assert (cpu["gpu_seconds"], float(gpu["gpu_seconds"])) == ("", 1490.0)
    assert [float(cpu[name]) for name in ("train_peak_bytes", "evaluate_peak_bytes")] == [2e9, 2e9]
    assert [float(gpu[name]) for name in ("train_peak_bytes", "evaluate_peak_bytes")] == [5e8, 2e8]


def test_older_records_lack_what_was_not_recorded_then(tmp_path: Path) -> None:
    store(tmp_path, [record(run={"seconds": SECONDS}), record(CELL.but(method="bag"), run=RUN)])
    old = next(row for row in costs(tmp_path) if row["method"] == "gdfq")
    assert [old[name] for name in ("cpu_seconds", "images", "energy_joules", "train_peak_bytes", "macs")] == [""] * 5
    shown = table.terminal(table.build(tmp_path), kind="cost")
    line = next(line for line in shown.splitlines() if " gdfq " in line).split()
    assert line.count("-") == 6  # CPU seconds, three peaks, energy and images


def test_columns_that_no_record_fills_are_left_out(tmp_path: Path) -> None:
    store(tmp_path, [record(run={"seconds": SECONDS})])
    shown = table.terminal(table.build(tmp_path), kind="cost").splitlines()[3]
    assert "time s" in shown and "energy kJ" not in shown and "train MB" not in shown


@pytest.mark.parametrize(
    "wrong",
    [{"energy_joules": "much"}, {"images": -1}, {"images": True}, {"peak_bytes": {"train": 5}}, {"cpu_seconds": [1]}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_record_with_a_cost_that_is_no_number_is_reported(tmp_path: Path, wrong: dict[str, Any]) -> None:
    store(tmp_path, [record(run={**RUN, **wrong})])
    report = table.build(tmp_path)
    assert (report.sheets, len(report.unusable)) == ((), 1)


def test_what_is_unknown_is_absent_and_never_zero(tmp_path: Path) -> None:
    peaks = {"train": {"resident": "unknown"}, "evaluate": {"resident": None}}
    store(tmp_path, [record(run={**RUN, "peak_bytes": peaks})])
    (row,) = costs(tmp_path)
    assert (row["train_peak_bytes"], row["evaluate_peak_bytes"]) == ("", "")


def test_size_and_operations_come_from_measurements_of_the_model(tmp_path: Path) -> None:
    store(tmp_path, [record(result=curved(0.8, weights="ab" * 32), run=RUN)])
    measurement.write(tmp_path, counted("ab" * 32, 140_000, 1_100_000))
    measurement.write(tmp_path, counted("cd" * 32, 1, 2))
    (row,) = costs(tmp_path)
    assert [float(row[name]) for name in ("packed_bytes", "fp32_bytes", "macs")] == [140_000, 1_100_000, 40_000_000]
    shown = table.terminal(table.build(tmp_path), kind="cost")
    line = next(line for line in shown.splitlines() if " gdfq " in line).split()
    assert line[-5:-1] == ["140", "7.86", "40.0", "0.6"]


def test_lines_of_cost_stand_by_name_not_by_rank(tmp_path: Path) -> None:
    slow, quick = {"seconds": {"draw": 9.0}}, {"seconds": {"draw": 1.0}}
    store(tmp_path, [record(CELL.but(method="adadfq"), run=slow), record(CELL.but(method="zz"), run=quick)])
    shown = table.terminal(table.build(tmp_path), kind="cost")
    assert shown.index(" adadfq ") < shown.index(" zz ")

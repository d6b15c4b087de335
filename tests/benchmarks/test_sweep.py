"""What a sweep costs beside its work, and how two cores are shared best. Wall-clock times of whole commands."""

from __future__ import annotations

import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest
from faults import Faults, prepare
from pytest_benchmark.fixture import BenchmarkFixture
from workplace import ROOT, Workplace, give_teacher, make

from bench.records import Record

FEW, MANY = 2, 14


def seconds(faults: Faults, seeds: int) -> float:
    """Wall-clock time of a sweep of so many cells, one after the other."""
    began = time.perf_counter()
    assert faults.run("--seeds", str(seeds), "--slots", "1").returncode == 0
    return time.perf_counter() - began


def work(records: list[Record]) -> float:
    """Seconds of steps and evaluations."""
    return sum(sum(r.run["seconds"][part] for part in ("draw", "learn", "evaluate")) for r in records)


def test_a_small_cell_beside_its_work(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Every further cell of a sweep, in a process of its own; `extra_info` has seconds beyond its work."""
    few = prepare(tmp_path / "few", ("W4A4",), seeds=1, shared=False)
    many = prepare(tmp_path / "many", ("W4A4",), seeds=1, shared=False)
    told: dict[str, float] = {}

    def both() -> None:
        told["few"], told["many"] = seconds(few, FEW), seconds(many, MANY)

    benchmark.pedantic(both, rounds=1)
    own = work(many.place.records()) / MANY
    benchmark.extra_info["seconds_beyond_work"] = (told["many"] - told["few"]) / (MANY - FEW) - own


def test_the_harness_beside_a_cell_of_a_minute(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """`extra_info` has the share of a cell's own time that is neither step nor evaluation."""
    faults = prepare(tmp_path, ("W4A4",), seeds=1, schedule="2400-epochs")
    benchmark.pedantic(faults.run, rounds=1)
    (record,) = faults.place.records()
    began, ended = (datetime.fromisoformat(record.run[moment]) for moment in ("started", "ended"))
    lasted = (ended - began).total_seconds()
    benchmark.extra_info |= {"cell_seconds": lasted, "share_beside_work": 1 - work([record]) / lasted}


@pytest.mark.parametrize("way", ["1 thread, 2 slots", "1 thread, 1 slot", "2 threads, 1 slot"])
def test_two_cells_on_two_cores(benchmark: BenchmarkFixture, tmp_path: Path, way: str) -> None:
    """Two cells of GDFQ at batch 200: side by side, one after the other, and so with both cores each."""
    place = learning(tmp_path, seeds=2)
    threads, slots = way.split()[0], way.split()[2]
    command = [*place.command("run", str(place.suite), "--no-sync", "--slots", slots), "--threads", threads]
    benchmark.pedantic(subprocess.run, (command,), {"cwd": ROOT, "check": True}, rounds=1)
    assert [record.status for record in place.records()] == ["ok", "ok"]


def learning(folder: Path, seeds: int) -> Workplace:
    """GDFQ on the data set `tiny`."""
    place = make(folder)
    give_teacher(place)
    listed = ", ".join(map(str, range(seeds)))
    place.suite.write_text(place.suite.read_text() + f'precision = ["bf16"]\nseed = [{listed}]\n')
    return place

"""What a sweep costs beside its work, and how two cores are shared best. Wall-clock times of whole commands."""

from __future__ import annotations

import subprocess
import time
from datetime import datetime
from itertools import count
from pathlib import Path

from beside import Beside
from faults import Faults, prepare
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


def test_a_small_cell_beside_its_work(beside: Beside, tmp_path: Path) -> None:
    """Every further cell of a sweep, in a process of its own; `extra_info` has seconds beyond its work."""
    few = prepare(tmp_path / "few", ("W4A4",), seeds=1, shared=False)
    many = prepare(tmp_path / "many", ("W4A4",), seeds=1, shared=False)
    took = beside.benchmark.pedantic(lambda: (seconds(few, FEW), seconds(many, MANY)))
    further = (took[1] - took[0]) / (MANY - FEW)
    own = work(many.place.records()) / MANY
    beside.ratio("its steps and evaluations", [further / own])
    beside.benchmark.extra_info["seconds_beyond_work"] = further - own


def test_the_harness_beside_a_cell_of_a_minute(beside: Beside, tmp_path: Path) -> None:
    """A cell's whole time by that of its steps and evaluations."""
    faults = prepare(tmp_path, ("W4A4",), seeds=1, schedule="2400-epochs")
    beside.benchmark.pedantic(faults.run)
    (record,) = faults.place.records()
    began, ended = (datetime.fromisoformat(record.run[moment]) for moment in ("started", "ended"))
    lasted = (ended - began).total_seconds()
    beside.ratio("its steps and evaluations", [lasted / work([record])])
    beside.benchmark.extra_info["cell_seconds"] = lasted


def test_two_cells_on_two_cores(beside: Beside, tmp_path: Path) -> None:
    """Two cells of GDFQ at batch 200 side by side, beside one after the other, with one core and with both."""
    folders = (tmp_path / str(number) for number in count())

    def both(threads: int, slots: int) -> None:
        place = learning(next(folders), seeds=2)
        command = place.command("run", str(place.suite), "--no-sync", "--slots", str(slots))
        subprocess.run([*command, "--threads", str(threads)], cwd=ROOT, check=True)
        assert [record.status for record in place.records()] == ["ok", "ok"]

    others = {"one after the other": lambda: both(1, 1), "one after the other on both cores": lambda: both(2, 1)}
    beside.in_turn(lambda: both(1, 2), others, rounds=1)


def learning(folder: Path, seeds: int) -> Workplace:
    """GDFQ on the data set `tiny`."""
    place = make(folder)
    give_teacher(place)
    listed = ", ".join(map(str, range(seeds)))
    place.suite.write_text(place.suite.read_text() + f'precision = ["bf16"]\nseed = [{listed}]\n')
    return place

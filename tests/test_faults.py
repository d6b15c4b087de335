"""Sweeps whose cells crash, hang, diverge and starve: nothing is lost, and running again gives undisturbed results."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import ALL_BITS, Faults, kill, prepare, twin, wait_for

SLOTS = ("--slots", "2")
EVERY_STEP = {"BENCH_CHECKPOINT_SECONDS": "0"}
TIMEOUT = ("--timeout", "20")
DEAD_SERVER = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}

ONE_OF_EACH = {
    "W3A3_s0": "segfault",
    "W5A5_s0": "nan",
    "W3A3_s1": "exit",
    "W4A4_s1": "exception",
    "W3A3_s2": "memory memory",
    "W4A4_s2": "memory",
    "W3A3_s3": "hang",
}
"""Of cells that run alone; running out of memory is tried twice."""
IN_GROUPS = ONE_OF_EACH | {
    "W3A3_s0": "segfault segfault",
    "W3A3_s1": "exit exit",
    "W3A3_s2": "memory memory memory",
    "W3A3_s3": "hang hang",
}
"""The same of cells that share a source: first the group dies of the first of these, then each cell of its own."""
AFTERWARDS = {
    "W3A3-s0": "failed",
    "W5A5-s0": "diverged",
    "W3A3-s1": "failed",
    "W4A4-s1": "failed",
    "W3A3-s2": "oom",
    "W3A3-s3": "timeout",
}
REASONS = {
    "W3A3-s0": "ended by SIGSEGV",
    "W5A5-s0": "not finite at step 14",
    "W3A3-s1": "SystemExit",
    "W4A4-s1": "the adapter complains",
    "W3A3-s2": "can't allocate memory",
    "W3A3-s3": "killed after 20 seconds",
}


def truncate(files: Iterator[Path]) -> int:
    """Cut every file in half; how many there were."""
    found = list(files)
    for file in found:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return len(found)


def check_first_run(faults: Faults, cells: int) -> None:
    """Each fault is a row of its own, and cost no other cell anything."""
    ended = faults.run(*SLOTS, *TIMEOUT, **EVERY_STEP)
    assert ended.returncode == 1, ended.stderr
    statuses = faults.statuses()
    assert len(statuses) == cells
    assert {name: status for name, status in statuses.items() if status != "ok"} == AFTERWARDS
    reasons = {f"{r.cell.bits}-s{r.cell.seed}": r.reason or "" for r in faults.place.records()}
    for name, reason in REASONS.items():
        assert reason in reasons[name], reasons[name]
    assert "in hang" in reasons["W3A3-s3"]  # where it hung
    assert "tried once more, alone" in ended.stderr


def check_recovery(faults: Faults) -> None:
    """Damaged files, a full disk and a killed sweep cost nothing but time."""
    assert truncate((faults.place.results / ".work" / "checkpoints").iterdir()) >= 4
    assert truncate(iter(sorted((faults.place.results / "records").rglob("*.json"))[:2])) == 2
    faults.set(W3A3_s1="disk")
    full = faults.run(*SLOTS, **EVERY_STEP)
    assert full.returncode == 2, full.stderr
    assert "the results folder cannot be written" in full.stderr
    process = faults.start(*SLOTS, **EVERY_STEP)
    wait_for(faults.place.results / ".work" / "running", "*.json")
    kill(process)


def check_end(faults: Faults, calm: Faults, **environment: str) -> None:
    """The last run ends as if nothing had ever happened."""
    ended = faults.run(*SLOTS, **environment)
    assert ended.returncode == 1, ended.stderr  # one cell has diverged
    assert {n for n, status in faults.statuses().items() if status != "ok"} == {"W5A5-s0"}
    assert calm.run(*SLOTS).returncode == 1
    assert faults.digests() == calm.digests()
    work = faults.place.results / ".work"
    left = [path for folder in ("checkpoints", "locks", "running") for path in (work / folder).iterdir()]
    assert [path for path in left if path.suffix != ".part"] == []  # a write that was killed leaves its part a while


def test_twelve_cells_with_every_fault_end_as_if_undisturbed(tmp_path: Path) -> None:
    faults = prepare(tmp_path / "disturbed", ALL_BITS[:3], seeds=4, shared=False)
    faults.set(**ONE_OF_EACH)
    calm = twin(faults, tmp_path / "calm")
    check_first_run(faults, cells=12)
    check_recovery(faults)
    check_end(faults, calm)


@pytest.mark.slow
def test_sixty_cells_with_faults_and_kills_end_as_if_undisturbed(tmp_path: Path) -> None:
    faults = prepare(tmp_path / "disturbed", ALL_BITS, seeds=10)
    faults.set(**IN_GROUPS, W8A8_s7="segfault", W6A6_s9="exception memory")
    calm = twin(faults, tmp_path / "calm")
    check_first_run(faults, cells=60)
    check_recovery(faults)
    for _ in range(3):
        for path in random.sample(sorted((faults.place.results / "records").rglob("*.json")), 15):
            path.unlink()
        process = faults.start(*SLOTS, **EVERY_STEP)
        wait_for(faults.place.results / ".work" / "running", "*.json")
        time.sleep(random.uniform(0, 3))
        kill(process)
    check_end(faults, calm, **DEAD_SERVER)
    assert len(faults.digests()) == 60

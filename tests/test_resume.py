"""The same command again continues: killed runs end bit-identical to undisturbed ones."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from workplace import Workplace, give_teacher, make

from bench.records import seal

EVERY_STEP = {"BENCH_CHECKPOINT_SECONDS": "0"}
PRETRAIN = ("pretrain", "--dataset", "tiny", "--schedule", "smoke", "--precision", "fp32")


def wait_for_checkpoint(place: Workplace, process: subprocess.Popen[str]) -> None:
    """Until the runner has written a checkpoint, which it does after every step here."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if list((place.results / ".work").rglob("*.checkpoint")):
            return
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()[0]


def kill_at_random(place: Workplace, arguments: tuple[str, ...], longest: float) -> None:
    """Start, wait for the first checkpoint, and kill -9 everything a random time later."""
    process = place.start(*arguments, **EVERY_STEP)
    wait_for_checkpoint(place, process)
    time.sleep(random.uniform(0, longest))
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_killed_training_ends_bit_identical_to_an_undisturbed_one(tmp_path: Path) -> None:
    calm, killed = make(tmp_path / "calm"), make(tmp_path / "killed")
    assert calm.bench(*PRETRAIN).returncode == 0
    for _ in range(3):
        kill_at_random(killed, PRETRAIN, longest=1.5)
    ended = killed.bench(*PRETRAIN, **EVERY_STEP)
    assert ended.returncode == 0, ended.stderr
    assert killed.records()[0].run["resumed"] >= 1
    assert killed.digests() == calm.digests()


@pytest.mark.slow
def test_killed_gdfq_group_ends_bit_identical_and_equal_to_its_cells_run_alone(tmp_path: Path) -> None:
    bits = '"W4A4", "W3A3"'
    group, alone = make(tmp_path / "group", bits), make(tmp_path / "alone", bits)
    for place in (group, alone):
        give_teacher(place)
    command = ("run", str(group.suite), "--no-sync")
    for _ in range(3):
        kill_at_random(group, command, longest=15)
    assert group.bench(*command, **EVERY_STEP).returncode == 0
    for width in ("W4A4", "W3A3"):
        assert alone.bench("run", str(alone.suite), "--no-sync", "--bits", width).returncode == 0
    assert {record.run["shared"] for record in group.records()} == {2}
    assert {record.run["shared"] for record in alone.records()} == {1}
    assert group.digests() == alone.digests()


def test_interrupted_run_writes_its_checkpoint_and_exits_130(tmp_path: Path) -> None:
    place = make(tmp_path)
    process = place.start(*PRETRAIN, **EVERY_STEP)
    wait_for_checkpoint(place, process)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command continues from there" in output
    assert not place.records()


def test_finished_cells_are_not_run_again(tmp_path: Path) -> None:
    place = make(tmp_path)
    assert place.bench(*PRETRAIN).returncode == 0
    before = {path: path.stat().st_mtime_ns for path in (place.results / "records").rglob("*.json")}
    assert place.bench(*PRETRAIN).returncode == 0
    assert before == {path: path.stat().st_mtime_ns for path in (place.results / "records").rglob("*.json")}


def test_result_digest_covers_every_part_of_the_result() -> None:
    assert seal({"a": 1, "b": 2})["digest"] != seal({"a": 1, "b": 3})["digest"]

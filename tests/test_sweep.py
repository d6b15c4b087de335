"""Sweeps of real processes: slots, interruption, kills, two sweeps at once, limits of time, and what is left to do."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from faults import ALL_BITS, Faults, kill, prepare, twin, wait_for

from bench.runner import exits
from bench.sweep.failures import Death, tail
from bench.sweep.limits import Limits
from bench.sweep.slots import Slot, slots

EVERY_STEP = {"BENCH_CHECKPOINT_SECONDS": "0"}
LONG = "200-epochs"


def long(folder: Path, **more: object) -> Faults:
    """Cells that last for some ten seconds."""
    return prepare(folder, ALL_BITS[:2], seeds=1, schedule=LONG, **more)  # type: ignore[arg-type]


def under_way(faults: Faults, *options: str) -> subprocess.Popen[str]:
    """A sweep whose first group has begun to learn and keeps checkpoints."""
    process = faults.start(*options, **EVERY_STEP)
    wait_for(faults.place.results / ".work" / "checkpoints", "*.checkpoint")
    return process


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


# stopping


@pytest.mark.slow
def test_ctrl_c_once_writes_checkpoints_and_the_same_command_continues(tmp_path: Path) -> None:
    faults = long(tmp_path / "stopped")
    calm = twin(faults, tmp_path / "calm")
    process = under_way(faults)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == exits.INTERRUPTED
    assert "the same command continues from there" in said
    assert not faults.place.records()
    assert faults.run().returncode == calm.run().returncode == 0
    assert {record.run["resumed"] for record in faults.place.records()} == {1}
    assert faults.digests() == calm.digests()


def test_ctrl_c_twice_stops_at_once_even_what_hangs(tmp_path: Path) -> None:
    faults = prepare(tmp_path, ALL_BITS[:1], seeds=1)
    faults.set(W3A3_s0="hang")
    process = faults.start()
    wait_for(faults.folder, "W3A3-s0.pid")
    cells = family(process)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.5)
    process.communicate(timeout=30)
    assert process.returncode == exits.INTERRUPTED
    assert not psutil.wait_procs(cells, timeout=10)[1]


@pytest.mark.parametrize("victim", ["parent", pytest.param("nursery", marks=pytest.mark.slow)])
def test_killing_the_sweep_leaves_nothing_running(tmp_path: Path, victim: str) -> None:
    faults = long(tmp_path)
    process = under_way(faults)
    everyone = family(process)
    assert len(everyone) == 2  # the nursery and the group
    if victim == "parent":
        kill(process)
    else:
        process.send_signal(signal.SIGSTOP)  # so that it starts nothing new meanwhile
        psutil.Process(process.pid).children()[0].kill()
    _, alive = psutil.wait_procs(everyone, timeout=30)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
def test_a_killed_nursery_is_replaced_and_its_jobs_go_on_from_their_checkpoints(tmp_path: Path) -> None:
    faults = long(tmp_path / "lost")
    calm = twin(faults, tmp_path / "calm")
    process = under_way(faults)
    psutil.Process(process.pid).children()[0].kill()
    process.communicate(timeout=120)
    assert process.returncode == calm.run().returncode == 0
    assert {record.run["resumed"] for record in faults.place.records()} == {1}
    assert faults.digests() == calm.digests()


def test_what_killed_jobs_have_left_is_cleared_away(tmp_path: Path) -> None:
    faults = prepare(tmp_path, ALL_BITS[:1], seeds=1, schedule="smoke")
    work = faults.place.results / ".work"
    stale, part, young = work / "running" / "0.json", work / "logs" / ".a.1.part", work / "logs" / ".b.2.part"
    for file in (stale, part, young):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    os.utime(part, (0, 0))
    assert faults.run().returncode == 0
    assert [file.exists() for file in (stale, part, young)] == [False, False, True]


# groups


def test_cells_of_a_dead_group_go_on_from_its_checkpoint(tmp_path: Path) -> None:
    faults = prepare(tmp_path / "dead", ALL_BITS[:2], seeds=1)
    calm = twin(faults, tmp_path / "calm")
    faults.set(W3A3_s0="segfault")
    assert faults.run(**EVERY_STEP).returncode == calm.run().returncode == 0
    assert {(record.run["resumed"], record.run["shared"]) for record in faults.place.records()} == {(1, 1)}
    assert faults.digests() == calm.digests()
    assert not list((faults.place.results / ".work" / "checkpoints").iterdir())


def test_slots_run_groups_side_by_side_with_equal_results(tmp_path: Path) -> None:
    beside = prepare(tmp_path / "beside", ALL_BITS[:2], seeds=2, shared=False)
    calm = twin(beside, tmp_path / "calm")
    process = beside.start("--slots", "4")
    most = 0
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            most = max(most, len(family(process)) - 1)
        time.sleep(0.02)
    process.communicate()
    assert process.returncode == calm.run("--executor", "inline").returncode == 0
    assert most == 4
    assert beside.digests() == calm.digests()


def test_three_seeds_and_later_five_run_just_the_two_that_are_missing(tmp_path: Path) -> None:
    faults = prepare(tmp_path, ALL_BITS[:1], seeds=1, schedule="smoke")
    assert "3 cells, 0 done, 3 left" in faults.run("--seeds", "3").stdout
    before = {r.id: r.run["ended"] for r in faults.place.records()}
    assert "5 cells, 3 done, 2 left" in faults.run("--seeds", "5").stdout
    after = {r.id: r.run["ended"] for r in faults.place.records()}
    assert len(before) == 3 and len(after) == 5
    assert before.items() <= after.items()


def test_two_sweeps_of_the_same_cells_share_them_out(tmp_path: Path) -> None:
    faults = prepare(tmp_path, ALL_BITS[:1], seeds=4)
    sweeps = [faults.start("--slots", "1") for _ in range(2)]
    said = [sweep.communicate(timeout=120)[0] for sweep in sweeps]
    assert [sweep.returncode for sweep in sweeps] == [0, 0], said
    assert len(faults.statuses()) == 4
    ran = [sum("epoch 2/2" in line for line in text.splitlines()) for text in said]
    assert sum(ran) == 4, said
    assert not list((faults.place.results / ".work" / "locks").iterdir())


# time


@pytest.mark.slow
def test_a_cell_past_its_time_is_killed_with_its_children(tmp_path: Path) -> None:
    faults = prepare(tmp_path, ALL_BITS[:1], seeds=1)
    faults.set(W3A3_s0="children")
    process = faults.start("--timeout", "20")
    deadline = time.monotonic() + 60
    while not (sleepers := [one for one in family(process) if "sleep" in one.name()]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert faults.statuses() == {"W3A3-s0": "timeout"}
    assert not psutil.wait_procs(sleepers, timeout=10)[1]


def test_limits_come_from_the_siblings_and_grow_with_the_group(tmp_path: Path) -> None:
    faults = prepare(tmp_path, ALL_BITS[:3], seeds=1)
    assert faults.run().returncode == 0
    found = faults.place.records()
    job = job_of(faults)
    limits = Limits(factor=2.0, least=0.0)
    limits.learn(found[:2])
    assert limits.of(job) is None  # too few to judge by
    limits.learn(found[2:])
    spent = sorted(sum(record.run["seconds"].values()) for record in found)
    assert limits.of(job) == pytest.approx(3 * 2 * spent[1])
    assert Limits(timeout=7).of(job) == 21


def job_of(faults: Faults):  # type: ignore[no-untyped-def]
    """The job of all cells, as if none were done."""
    from bench.runner.job import Job

    found = faults.place.records()
    place = faults.place
    cells, ids = tuple(r.cell for r in found), tuple(r.id for r in found)
    return Job(cells, ids, "faults", "sweep", "command", place.results, place.data, "cpu", 1, {})


# parts


def test_slots_are_disjoint_cores() -> None:
    cores = sorted(os.sched_getaffinity(0))
    assert slots("cpu", 1) == [Slot((core,)) for core in cores]
    assert slots("cpu", len(cores)) == [Slot(tuple(cores))]
    assert slots("cpu", 10 * len(cores)) == [Slot(tuple(cores))]
    assert slots("cpu", 1, wanted=len(cores) - 1 or 2) == [Slot(())] * (len(cores) - 1 or 2)
    assert slots("cpu", 1, wanted=len(cores) + 1) == [Slot(())] * (len(cores) + 1)


def test_gpus_are_shared_as_their_free_memory_permits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.sweep.slots.free_gpu_bytes", lambda: [9 << 30, 1 << 30])
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    assert [slot.gpu for slot in slots("cuda", 1)] == [0, 1, 0]
    assert [slot.gpu for slot in slots("cuda", 1, wanted=5)] == [0, 1, 0, 0, 1]
    assert slots("cuda", 1)[1].environment == {"CUDA_VISIBLE_DEVICES": "1"}


@pytest.mark.parametrize(
    ("death", "status", "reason"),
    [
        (Death(-11, None, False), "failed", "the process was ended by SIGSEGV"),
        (Death(-9, None, False), "failed", "the process was ended by SIGKILL"),
        (Death(-9, None, True), "oom", "the process was ended by SIGKILL, as memory ran out"),
        (Death(-9, 30.0, True), "timeout", "killed after 30 seconds, the limit"),
        (Death(0, None, False), "failed", "the process ended with exit code 0 and left no record"),
        (Death("lost", None, False), "failed", "lost with its machine, again and again"),
    ],
)
def test_a_death_has_a_status_and_a_reason(death: Death, status: str, reason: str) -> None:
    assert (death.status, death.reason) == (status, reason)


def test_the_tail_of_a_log_is_plain_and_short(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log) == []
    log.write_text("early\n" * 50 + "\x1b[31mred\x1b[0m\n" + "x" * 500 + "\n")
    assert tail(log)[-2:] == ["[31mred[0m", "x" * 200]
    assert len(tail(log)) == 30

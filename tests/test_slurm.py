"""The executor for Slurm: against Slurm's own daemons where they are installed, else submitit's local executor.

The tests' ids say which, as in `test_...[slurm]` and `test_...[local]`.
"""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from clusterjobs import end_of, first_job, place_of, started, under_way, until, workplace
from slurmdaemons import KIND, Cluster, processes, running
from workplace import Workplace

from bench.errors import BenchError, MissingExtra
from bench.runner import exits
from bench.sweep.executors import LOST, Executor, executor, slurm, squeue
from bench.sweep.executors.slurm import Submitted, settings


@pytest.fixture(scope="module", params=[KIND])
def cluster() -> Iterator[Cluster]:
    with running() as found:
        yield found


@pytest.fixture
def held(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor]:
    """The executor, whose jobs write a checkpoint after every step."""
    monkeypatch.setenv("BENCH_CHECKPOINT_SECONDS", "0")
    monkeypatch.setattr(squeue, "POLL", 0.5)
    monkeypatch.setattr(slurm, "LATE", 4.0)
    cluster.recover()
    found = cluster.executor(place_of(workplace(tmp_path / "any")))
    try:
        yield found
    finally:
        found.close()


def handed(held: Executor, work: Workplace) -> Submitted:
    job = started(held, work)
    assert isinstance(job, Submitted)
    return job


@pytest.mark.slow
def test_stopped_job_continues_and_ends_as_an_undisturbed_one(held: Executor, tmp_path: Path) -> None:
    calm, stopped = workplace(tmp_path / "calm"), workplace(tmp_path / "stopped")
    log = first_job(stopped).log
    job = handed(held, stopped)
    under_way(stopped, job)
    until(lambda: job.seconds() > 0)
    job.stop(at_once=False)
    assert end_of(job) == exits.INTERRUPTED
    assert "the same command continues from there" in log.read_text()
    assert not stopped.records()

    again, undisturbed = handed(held, stopped), handed(held, calm)
    assert end_of(again) == exits.OK
    assert end_of(undisturbed) == exits.OK
    assert stopped.records()[0].run["resumed"] >= 1
    assert calm.records()[0].run["resumed"] == 0
    assert stopped.digests() == calm.digests()


@pytest.mark.slow
def test_job_is_lost_with_its_node_and_continues_later(held: Executor, cluster: Cluster, tmp_path: Path) -> None:
    work = workplace(tmp_path / "work")
    job = handed(held, work)
    under_way(work, job)
    cluster.lose(job.name)
    assert end_of(job) == LOST
    assert not work.records()
    cluster.recover()
    assert end_of(handed(held, work)) == exits.OK
    assert work.records()[0].run["resumed"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("what", ["cancel", "warn"])
def test_job_that_others_end_writes_a_checkpoint_and_is_lost(
    held: Executor, cluster: Cluster, tmp_path: Path, what: str
) -> None:
    work = workplace(tmp_path / "work")
    log = first_job(work).log
    job = handed(held, work)
    under_way(work, job)
    getattr(cluster, what)(job.name)
    assert end_of(job) == LOST
    assert "the same command continues from there" in log.read_text()


@pytest.mark.slow
def test_job_that_dies_or_is_killed_tells_so_and_leaves_no_process(held: Executor, tmp_path: Path) -> None:
    places = [workplace(tmp_path / name) for name in ("dies", "killed", "waits")]
    dying, killed, waiting = (handed(held, work) for work in places)
    under_way(places[0], dying)
    if KIND == "slurm":  # of one core; the stand-in has no queue
        assert [job.seconds() for job in (killed, waiting)] == [0, 0]
    waiting.stop(at_once=False)
    assert end_of(waiting) == exits.INTERRUPTED
    for process in processes(dying.name):
        process.send_signal(signal.SIGSEGV)
    assert end_of(dying) == (-signal.SIGSEGV if KIND == "slurm" else 1)

    under_way(places[1], killed)
    left = processes(killed.name)
    assert left
    killed.stop(at_once=True)
    assert end_of(killed) == -signal.SIGKILL
    assert not psutil.wait_procs(left, timeout=30)[1]
    assert not any(work.records() for work in places)


@pytest.mark.slow
def test_refusal_of_slurm_is_told(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_SLURM", "partition=nowhere,time=60")
    work = workplace(tmp_path)
    told = "Slurm does not take a job" if shutil.which("srun") else "no Slurm on this machine"
    with pytest.raises(BenchError, match=f"(?s){told}"):
        executor("slurm", place_of(work), None).start(first_job(work))


def test_settings_are_those_of_sbatch() -> None:
    assert settings("") == {}
    found = settings("partition=gpu, time=1-12:00:00,nodelist=n1,n2,gpus_per_node=a100:1")
    assert found == {"partition": "gpu", "time": "1-12:00:00", "nodelist": "n1,n2", "gpus-per-node": "a100:1"}
    for wrong, told in (
        ("gpu", "name=value"),
        ("time=", "name=value"),
        ("tiem=3", "no option"),
        ("time=3h", "minutes"),
    ):
        with pytest.raises(BenchError, match=told):
            settings(wrong)


def test_times_and_codes_of_squeue() -> None:
    times = {"0:00": 0, "1:02": 62, "1:00:00": 3600, "2-00:00:01": 172801, "INVALID": 0}
    assert {used: squeue._seconds(used) for used in times} == times
    codes = {"0": 0, "768": 3, "9": -9, "35072": -9, "3:0": 3, "0:9": -9, "139:0": -11}
    assert {text: squeue._code(text) for text in codes} == codes


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(MissingExtra, match=r"pip install 'lowbit-bench\[slurm\]'"):
        executor("slurm", place_of(workplace(tmp_path)), None)

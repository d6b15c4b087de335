"""Jobs for tests of executors: a small one, an executor's word on how it ended, and what it has left."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from workplace import Workplace, make

from bench.runner.job import Job
from bench.suite import read
from bench.sweep import plan
from bench.sweep.executors import Executor, Running
from bench.sweep.jobs import job
from bench.sweep.place import Place
from bench.sweep.wish import Wish

PATIENCE = 600.0
"""Seconds that anything here may take on a busy machine."""


def workplace(folder: Path) -> Workplace:
    """A workplace with one cell, the training of a full-precision network, which takes few seconds."""
    return make(folder, '"W32A32"', "pretrain")


def place_of(work: Workplace) -> Place:
    return Place(work.results, work.data, "cpu", 1)


def first_job(work: Workplace) -> Job:
    """The job of its only cell."""
    planned = plan.make(read(work.suite), Wish(schedule="smoke"), place_of(work))
    return job(planned, planned.groups()[0], "2026-01-01T00:00:00Z", "a test")


def until(happens: Callable[[], object]) -> None:
    """Wait for something to happen."""
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def under_way(work: Workplace, running: Running) -> None:
    """Wait for a job's first checkpoint, which it writes after a step."""

    def written() -> bool:
        assert running.ended() is None, first_job(work).log.read_text()
        return any((work.results / ".work").rglob("*.checkpoint"))

    until(written)


def end_of(running: Running) -> int | str:
    """Wait for a job's end."""
    until(lambda: running.ended() is not None)
    code = running.ended()
    assert code is not None
    return code


def started(executor: Executor, work: Workplace) -> Running:
    """Hand over a job as soon as the executor takes one."""
    until(executor.free)
    return executor.start(first_job(work))

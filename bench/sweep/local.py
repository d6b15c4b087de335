"""Running a plan on this machine: a process a group, one after the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

from bench import records
from bench.data import describe
from bench.errors import RecordInvalid
from bench.runner.job import Job
from bench.sweep.plan import Plan, Planned

INTERRUPTED = 130
"""Exit code of a runner that wrote its checkpoint because it was asked to stop."""

UNUSABLE = 2
"""Exit code of a runner that could not write its results."""


def run(plan: Plan, command: str) -> int:
    """Run every group that is left; 0, or the exit code of a runner that could not go on.

    A group whose process dies is run again cell by cell; a cell whose process dies leaves a `failed` record.
    """
    sweep = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for group in plan.groups():
        job = _job(plan, group, sweep, command)
        code = _process(job)
        if code in (INTERRUPTED, UNUSABLE):
            return code
        for index, planned in enumerate(group):
            if not _recorded(planned, sweep):
                code = _alone(job.only(index), planned, code if len(group) == 1 else None)
            if code in (INTERRUPTED, UNUSABLE):
                return code
    return 0


def _alone(job: Job, planned: Planned, code: int | None) -> int:
    """Run one cell by itself, unless it just died so with exit code `code`; its death becomes a record."""
    code = _process(job) if code is None else code
    if code not in (INTERRUPTED, UNUSABLE) and not _recorded(planned, job.sweep):
        from bench.runner.outcome import Outcome, leave

        dataset = describe(planned.cell.dataset, job.data_root)
        reason = f"the process ended with signal {-code}" if code < 0 else f"the process ended with exit code {code}"
        leave(job, dataset, Outcome(planned.cell, planned.id, "failed", reason, began=datetime.now(UTC)))
    return code


def _job(plan: Plan, group: list[Planned], sweep: str, command: str) -> Job:
    place = plan.place
    named = {sha for planned in group for sha in (planned.cell.init, planned.cell.tutor)}
    return Job(
        cells=tuple(planned.cell for planned in group),
        ids=tuple(planned.id for planned in group),
        suite=plan.suite,
        sweep=sweep,
        command=command,
        results=place.results,
        data_root=place.data_root,
        device=place.device,
        threads=place.threads,
        teachers={sha256: teacher for sha256, teacher in plan.teachers.items() if sha256 in named},
    )


def _process(job: Job) -> int:
    """Exit code of a process that runs a job. Ctrl-C reaches it too, and it is waited for."""
    environment = os.environ | {"OMP_NUM_THREADS": str(job.threads)}
    child = subprocess.Popen([sys.executable, "-m", "bench.runner"], stdin=subprocess.PIPE, env=environment, text=True)
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        child.communicate(job.text())
    finally:
        signal.signal(signal.SIGINT, before)
    return child.returncode


def _recorded(planned: Planned, sweep: str) -> bool:
    """Whether this sweep has left a record of the cell."""
    try:
        return planned.path.is_file() and records.read(planned.path).run.get("sweep") == sweep
    except RecordInvalid:
        return False

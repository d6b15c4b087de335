"""The records of cells whose process left none, as it died, or that never had one, as their method declines."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.data import describe
from bench.runner.job import Job
from bench.sweep.executors import LOST
from bench.sweep.jobs import job as job_of
from bench.sweep.plan import Plan

TAIL = 30
"""Lines of the log that a reason shows, which is enough for the stack of a process that hangs or crashes."""

WIDTH = 200
"""Characters of a line that it shows."""


@dataclass(frozen=True)
class Death:
    """How a process ended that left no record.

    Attributes:
        code: as `Running.ended` gives it. late: after how many seconds it was killed for being too slow, or None.
        starved: whether the kernel killed a process meanwhile, as memory ran out.
    """

    code: int | str
    late: float | None
    starved: bool

    @property
    def status(self) -> str:
        if self.late is not None:
            return "timeout"
        return "oom" if self.starved and self.code == -signal.SIGKILL else "failed"

    @property
    def reason(self) -> str:
        if self.late is not None:
            return f"killed after {self.late:.0f} seconds, the limit"
        if self.code == LOST:
            return "lost with its machine, again and again"
        if isinstance(self.code, int) and self.code < 0:
            memory = ", as memory ran out" if self.status == "oom" else ""
            return f"the process was ended by {signal.Signals(-self.code).name}{memory}"
        return f"the process ended with exit code {self.code} and left no record"


def leave_failure(job: Job, death: Death) -> None:
    """Write the record of a job's only cell, with the end of what it said."""
    from bench.runner.outcome import Outcome, leave

    reason = "\n".join([death.reason, *tail(job.log)])
    dataset = describe(job.cells[0].dataset, job.data_root)
    leave(job, dataset, Outcome(job.cells[0], job.ids[0], death.status, reason, began=datetime.now(UTC)))


def leave_skips(plan: Plan, command: str) -> None:
    """Write a record of each cell that its method declines, with the method's reason."""
    from bench.runner.outcome import Outcome, leave

    for planned in plan.unrecorded:
        job = job_of(plan, [planned], sweep="", command=command)
        dataset = describe(planned.cell.dataset, plan.place.data_root)
        leave(job, dataset, Outcome(planned.cell, planned.id, "skipped", planned.declined, began=datetime.now(UTC)))


def tail(log: Path) -> list[str]:
    """The last lines of a log, in plain characters."""
    if not log.is_file():
        return []
    lines = log.read_text(errors="replace").splitlines()
    return [re.sub(r"[^\x20-\x7e\t]", "", line)[:WIDTH] for line in lines[-TAIL:]]


def kernel_kills() -> int:
    """How many processes this machine's kernel (Linux) has killed for lack of memory."""
    counters = Path("/proc/vmstat")
    text = counters.read_text() if counters.is_file() else ""
    found = re.search(r"^oom_kill (\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0

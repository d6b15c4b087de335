"""Running what is missing of a check's plans, as a sweep does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from bench.files import ensure_writable
from bench.sweep import supervisor
from bench.sweep.executors import executor
from bench.sweep.failures import leave_skips
from bench.sweep.plan import Plan


def fill(plans: Sequence[Plan], command: str, executor_name: str, slots: int | None) -> int:
    """Run what is left of each plan; 0, or the exit code of whatever ended a sweep early.

    Args:
        command: the command line, for records. executor_name, slots: where jobs run, and how many at once.
    """
    for plan in plans:
        ensure_writable(plan.place.results)
        leave_skips(plan, command)
        if not plan.left:
            continue
        with closing(executor(executor_name, plan.place, slots)) as held:
            if code := supervisor.run(plan, command, held):
                return code
    return 0

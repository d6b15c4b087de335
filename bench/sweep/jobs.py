"""Jobs of a plan: what the processes of a sweep are given."""

from __future__ import annotations

from collections.abc import Sequence

from bench.runner.job import Job
from bench.sweep.plan import Plan, Planned


def job(plan: Plan, cells: Sequence[Planned], sweep: str, command: str) -> Job:
    """The job of some cells that share one source."""
    place = plan.place
    named = {sha256 for planned in cells for sha256 in (planned.cell.init, planned.cell.tutor)}
    return Job(
        cells=tuple(planned.cell for planned in cells),
        ids=tuple(planned.id for planned in cells),
        suite=plan.suite,
        sweep=sweep,
        command=command,
        results=place.results.resolve(),
        data_root=place.data_root.resolve(),
        device=place.device,
        threads=place.threads,
        teachers={sha256: plan.teachers[sha256].resolved() for sha256 in named if sha256},
    )

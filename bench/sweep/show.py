"""The plan in words, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from bench.method import defaults_of
from bench.registry import get
from bench.sweep.plan import Plan, Planned


def show(plan: Plan, found: Mapping[tuple[str, str], float]) -> str:
    """Cells, steps and estimated time; `found` are measured seconds a step by method and precision."""
    left, done = plan.left, len(plan.cells) - len(plan.left)
    lines = [f"suite {plan.suite} on {plan.place.platform}: {len(plan.cells)} cells, {done} done, {len(left)} left"]
    for group in plan.groups():
        lines.append(f"  {_line(group)}")
    lines += [f"  not run: {reason}" for reason in plan.declined]
    if left:
        lines.append(f"estimated time: {_estimate(left, found)}")
    return "\n".join(lines)


def _line(group: list[Planned]) -> str:
    cell, schedule = group[0].cell, group[0].schedule
    bits = " ".join(str(planned.cell.bits) for planned in group if not planned.cell.bits.full)
    shared = f", one source for {len(group)} cells" if len(group) > 1 else ""
    steps = f"{schedule.epochs} epochs of {schedule.steps} steps, batch {schedule.batch}"
    options = " ".join(cell.changed(defaults_of(get(cell.method).card)))
    words = (cell.dataset, cell.model, cell.method, options, bits, cell.schedule, cell.precision, f"seed {cell.seed}")
    return f"{' '.join(word for word in words if word)}: {steps}{shared}"


def _estimate(left: list[Planned], found: Mapping[tuple[str, str], float]) -> str:
    unknown = {p.cell.method for p in left if (p.cell.method, p.cell.precision) not in found}
    if unknown:
        names = ", ".join(sorted(unknown))
        return f"unknown, as no cell of {names} was measured on this kind of device yet; progress shows the time left"
    seconds = sum(found[p.cell.method, p.cell.precision] * p.schedule.total for p in left)
    span = f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{seconds:.0f} seconds"
    return f"{span}, from the best rate measured on this kind of device"

"""The plan in words, before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.method import defaults_of
from bench.registry import get
from bench.spec import Cell
from bench.sweep.plan import Plan, Planned
from bench.sweep.rates import Kind, kind_of


@dataclass(frozen=True)
class _Line:
    """A group in words, but for its bits and seed."""

    what: str
    how: str
    steps: str

    @classmethod
    def of(cls, group: Sequence[Planned]) -> _Line:
        cell, schedule = group[0].cell, group[0].schedule
        options = cell.changed(defaults_of(get(cell.method).card))
        shared = f", one source for {len(group)} cells" if len(group) > 1 else ""
        return cls(
            what=" ".join((cell.dataset, cell.model, cell.method, *options)),
            how=f"{cell.schedule} {cell.precision}",
            steps=f"{schedule.epochs} epochs of {schedule.steps} steps, batch {schedule.batch}{shared}",
        )

    def text(self, bits: str, seeds: Sequence[int]) -> str:
        named = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
        return f"{' '.join(filter(None, (self.what, bits, self.how, named)))}: {self.steps}"


def show(plan: Plan, found: Mapping[Kind, float]) -> str:
    """Cells, steps and estimated time; `found` are measured seconds a step by kind of cell."""
    lines = [_counts(plan), *(f"  {line}" for line in _details(plan))]
    if plan.left:
        lines.append(f"estimated time: {_estimate(plan.left, found)}")
    return "\n".join(lines)


def label(cell: Cell) -> str:
    """A cell for people: its data set, its label, and the options that are not the method's defaults."""
    return " ".join([cell.dataset, cell.label, *cell.changed(defaults_of(get(cell.method).card))])


def _counts(plan: Plan) -> str:
    """How many cells there are, and how they stand; those that cannot run are counted beside the others."""
    refused = sum(1 for _ in _refused(plan))
    wait = sum(not waiting.declined for waiting in plan.waiting)
    done, left = len(_finished(plan)), len(plan.left) + wait
    told = f"suite {plan.suite} on {plan.place.platform}: {done + left} cells, {done} done, {left} left"
    told += f", {wait} of them waiting for a full-precision model" if wait else ""
    return told + (f"; {refused} not run" if refused else "")


def _details(plan: Plan) -> Iterator[str]:
    """What is done by method, what has to be trained first, what is left, and what cannot run."""
    done = Counter(planned.cell.method for planned in _finished(plan))
    if done and len({planned.cell.method for planned in plan.cells}) > 1:
        yield f"done: {', '.join(f'{count} {method}' for method, count in done.items())}"
    yield from map(str, plan.missing)
    yield from _lines(plan.groups())
    yield from _refusals(plan)


def _finished(plan: Plan) -> list[Planned]:
    return [planned for planned in plan.cells if planned.done and planned.status != "skipped"]


def _refused(plan: Plan) -> Iterator[tuple[Cell, str]]:
    """Cells that cannot run, each with the reason."""
    for planned in plan.cells:
        if planned.status == "skipped":
            yield planned.cell, planned.why or "no reason recorded"
    for waiting in plan.waiting:
        if waiting.declined:
            yield waiting.cell, waiting.declined


def _lines(groups: Sequence[Sequence[Planned]]) -> Iterator[str]:
    """A line for all groups that differ in seed alone, or in bits, and are left for the same seeds."""
    seeds: dict[tuple[_Line, str], list[int]] = {}
    for group in groups:
        bits = " ".join(str(planned.cell.bits) for planned in group if not planned.cell.bits.full)
        seeds.setdefault((_Line.of(group), bits), []).append(group[0].cell.seed)
    widths: dict[tuple[_Line, tuple[int, ...]], list[str]] = {}
    for (line, bits), numbers in seeds.items():
        widths.setdefault((line, tuple(numbers)), []).append(bits)
    for (line, left), all_bits in widths.items():
        yield line.text(" ".join(all_bits), left)


def _refusals(plan: Plan) -> Iterator[str]:
    """A line for each reason that cells cannot run for."""
    alike: dict[str, list[str]] = {}
    for cell, reason in _refused(plan):
        alike.setdefault(reason, []).append(label(cell))
    for reason, labels in alike.items():
        more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
        yield f"not run: {labels[0]}{more}: {reason}"


def _estimate(left: Sequence[Planned], found: Mapping[Kind, float]) -> str:
    """Time for what was measured; what was not is named."""
    known = [planned for planned in left if kind_of(planned.cell) in found]
    unknown = sorted({planned.cell.method for planned in left if kind_of(planned.cell) not in found})
    names = ", ".join(unknown)
    if not known:
        return f"unknown, as no cell of {names} was measured on this kind of device yet; progress shows the time left"
    seconds = sum(found[kind_of(planned.cell)] * planned.schedule.total for planned in known)
    beside = f"; not counted: {len(left) - len(known)} cells of {names}, not measured yet" if unknown else ""
    return f"{_span(seconds)}, from the best rate measured on this kind of device{beside}"


def _span(seconds: float) -> str:
    if seconds > 2 * 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{seconds:.0f} seconds"

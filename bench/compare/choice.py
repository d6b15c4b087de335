"""Choosing among stored runs: by method, suite, and what a person types to narrow them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from bench.compare.errors import NothingToCompare
from bench.compare.group import Group, grouped
from bench.compare.named import Named
from bench.compare.runs import Run, load
from bench.names import unknown
from bench.suite import AUTO, Point, Suite, read


@dataclass(frozen=True)
class Choice:
    """What narrows the runs of a method.

    Attributes:
        suite: only its cells. dataset, schedule: patterns. bits: patterns, of which one must match; none matches all.
    """

    suite: Path | None = None
    dataset: str = "*"
    schedule: str = "*"
    bits: tuple[str, ...] = ()

    def covers(self, run: Run) -> bool:
        """Whether a run is left; the suite is looked at elsewhere, as it has to be read."""
        cell = run.record.cell
        named = fnmatchcase(cell.dataset, self.dataset) and fnmatchcase(cell.schedule, self.schedule)
        return named and (not self.bits or any(fnmatchcase(str(cell.bits), pattern) for pattern in self.bits))


def chosen(results: Path, method: str, choice: Choice) -> list[Group]:
    """The groups of a method's stored runs that a choice leaves.

    Raises:
        NothingToCompare: if there is none, with the nearest names that have runs.
    """
    named, stored = Named.parse(method), load(results).found
    own = [run for run in stored if named.covers(run)]
    if not own:
        names = {run.name for run in stored}
        raise NothingToCompare(f"no finished runs of '{method}' in {results}: {unknown('method', method, names)}")
    in_suite = of_suite(read(choice.suite)) if choice.suite else lambda run: True
    left = [run for run in own if choice.covers(run) and in_suite(run)]
    if not left:
        raise NothingToCompare(f"{len(own)} runs of '{method}', but none is left; drop --suite, --dataset or --bits")
    return grouped(left)


def of_suite(suite: Suite) -> Callable[[Run], bool]:
    """Whether a run is of a suite's cell; where a suite leaves the schedule to the device, `smoke` and `quick` are."""
    points: dict[tuple[object, ...], list[Point]] = {}
    for point in suite.points():
        key = (point.dataset, point.model, point.bits, point.precision, point.seed)
        points.setdefault(key, []).append(point)

    def covers(run: Run) -> bool:
        cell = run.record.cell
        alike = points.get((cell.dataset, cell.model, cell.bits, cell.precision, cell.seed), [])
        return any(
            _scheduled(point, cell.schedule) and Named(point.method, point.options).covers(run) for point in alike
        )

    return covers


def _scheduled(point: Point, schedule: str) -> bool:
    return schedule in (("smoke", "quick") if point.schedule == AUTO else (point.schedule,))

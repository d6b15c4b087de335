"""A regression check's course: which cells it needs, and the trials that they make once they have run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.compare import league
from bench.compare.errors import NothingToCompare
from bench.compare.freezing import margin_of
from bench.compare.fresh import Ask, Fresh, fresh
from bench.compare.reference import FrozenRun, Reference
from bench.compare.subject import Subject
from bench.compare.trial import Evidence, Runs, Trial, runs_of
from bench.files import canonical_json
from bench.report.text import short
from bench.spec import Cell
from bench.stats import MINIMUM_SEEDS
from bench.suite import Suite
from bench.sweep.place import Place
from bench.sweep.plan import Plan, Planned


@dataclass(frozen=True)
class Stretch:
    """Cells of the method at one bit-width of one league, and what they are set against: frozen runs, or cells."""

    baseline: str
    margin: float
    new: tuple[Planned, ...]
    frozen: tuple[FrozenRun, ...] = ()
    old: tuple[Planned, ...] = ()

    def trial(self) -> Trial:
        """What the cells have left by now.

        Raises:
            RecordInvalid: if a record cannot stand beside others.
        """
        first = self.new[0].cell
        reference = runs_of(self.old) if self.old else Runs(tuple(map(Evidence.frozen, self.frozen)))
        return Trial(_where(first), first.bits, self.margin, self.baseline, reference, runs_of(self.new))


@dataclass(frozen=True)
class Course:
    """Plans to be run, the trials to be made of them, and what a person should know."""

    plans: tuple[Plan, ...]
    stretches: tuple[Stretch, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, planned: Sequence[Fresh], stretches: Sequence[Stretch]) -> Course:
        notes = dict.fromkeys(part.note for part in planned if part.note)
        return cls(tuple(part.plan for part in planned), tuple(stretches), tuple(notes))


def against_references(subject: Subject, references: Sequence[Reference], ask: Ask, place: Place) -> Course:
    """The course of a check against frozen references.

    Raises:
        NotComparable: if none is of the league that is asked for, or one is of another than what runs here.
        BenchError: as `bench.sweep.plan.make`.
    """
    planned, stretches = [], []
    for reference in league.fitting(references, subject, ask.wish):
        suite = league.suite_of(reference, subject, ask.wish.seeds or MINIMUM_SEEDS)
        planned.append(fresh(suite, subject, ask, place))
        cells = _possible(planned[-1].plan)
        league.require(reference, subject, cells[0])
        stretches += list(_of_reference(reference, cells))
    return Course.of(planned, stretches)


def against_method(subject: Subject, other: Subject, suite: Suite, ask: Ask, place: Place) -> Course:
    """The course of a check against another method, on a suite's cells.

    Raises:
        NothingToCompare: if there is no cell that both can run.
        BenchError: as `bench.sweep.plan.make`.
    """
    theirs, ours = fresh(suite, other, ask, place), fresh(suite, subject, ask, place)
    named, old = f"{other.name} {other.version}", _by_place(theirs.plan)
    stretches = [
        Stretch(named, margin_of(cells[0].cell.bits, {}), cells, old=old[key])
        for key, cells in _by_place(ours.plan).items()
        if key in old
    ]
    if not stretches:
        raise NothingToCompare(f"{subject.name} and {other.name} can run no cell alike; give another --suite")
    return Course.of([theirs, ours], stretches)


def _of_reference(reference: Reference, cells: Sequence[Planned]) -> Iterator[Stretch]:
    named = f"{reference.name} {reference.version} frozen {reference.date} ({reference.digest[:12]})"
    for bits in dict.fromkeys(planned.cell.bits for planned in cells):
        width = reference.widths[str(bits)]
        own = tuple(planned for planned in cells if planned.cell.bits == bits)
        yield Stretch(named, width.margin, own, frozen=width.runs)


def _possible(plan: Plan) -> list[Planned]:
    """The cells of a plan that its method does not decline.

    Raises:
        NothingToCompare: if there is none, with the first reason.
    """
    possible = [planned for planned in plan.cells if not planned.declined]
    if not possible:
        refused = [(planned.cell, planned.declined) for planned in plan.cells]
        cell, reason = [*refused, *((waiting.cell, waiting.declined) for waiting in plan.waiting)][0]
        raise NothingToCompare(f"no cell can run; {cell.method} at {cell.bits}: {reason}")
    return possible


def _by_place(plan: Plan) -> dict[str, tuple[Planned, ...]]:
    """Cells that differ in seed alone, by all that two methods have in common there."""
    found: dict[str, tuple[Planned, ...]] = {}
    for planned in _possible(plan):
        common = planned.cell.but(method="", options={}, tutor="", seed=0).plain()
        key = canonical_json([common, planned.fingerprint])
        found[key] = (*found.get(key, ()), planned)
    return found


def _where(cell: Cell) -> str:
    return f"{cell.dataset} {cell.model} {cell.schedule} {cell.precision} init {short(cell.init)}"

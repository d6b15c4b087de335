"""Plans of cells that today's code has run or will run, whatever is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bench.compare.subject import Subject
from bench.records import find
from bench.suite import Suite
from bench.sweep.place import Place
from bench.sweep.plan import Plan, Planned, make
from bench.sweep.staleness import changed_code
from bench.sweep.wish import Wish


@dataclass(frozen=True)
class Ask:
    """How a check was asked for.

    Attributes:
        wish: filters, number of seeds, schedule and precision.
        stored: whether stored runs count although the code has changed since.
    """

    wish: Wish
    stored: bool = False


@dataclass(frozen=True)
class Fresh:
    """A plan, and what is to be said of it, if anything."""

    plan: Plan
    note: str = ""


def fresh(suite: Suite, subject: Subject, ask: Ask, place: Place) -> Fresh:
    """The plan of a suite's cells, of this method in place of its own.

    Where stored runs were made by other code than today's, or do not say by which, all of them are planned once more,
    in a folder that belongs to today's code.
    """
    cells = suite_with(suite, subject)
    plan = make(cells, ask.wish, place)
    stale = sum(_stale(planned) for planned in plan.cells)
    if not stale:
        return Fresh(plan)
    told = f"{stale} of {len(plan.cells)} runs of {subject.name} are stored, but not known to be of today's code"
    if ask.stored:
        return Fresh(plan, f"{told}; they count, as --stored was given")
    apart = place.results / ".work" / "regress" / subject.code[:16]
    _lend(place.results / "teachers", apart / "teachers")
    return Fresh(make(cells, ask.wish, replace(place, results=apart)), f"{told}: all are run anew, in {apart}")


def suite_with(suite: Suite, subject: Subject) -> Suite:
    """A suite's cells, of this method in place of its own."""
    return Suite(f"regress-{subject.method.card.name}", {**suite.axes, "method": [subject.variant]}, suite.overrides)


def _stale(planned: Planned) -> bool:
    record = find(planned.path) if planned.done else None
    return record is not None and changed_code(record) != []


def _lend(folder: Path, link: Path) -> None:
    """Let one results folder use the full-precision models of another."""
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(folder.resolve(), target_is_directory=True)

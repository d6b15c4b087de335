"""The league of a reference against what is asked for, and against what runs here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench import RULES
from bench.compare.errors import NotComparable
from bench.compare.reference import Reference
from bench.compare.subject import Subject
from bench.method import settled
from bench.report.text import short
from bench.suite import Suite
from bench.sweep.plan import Planned
from bench.sweep.wish import Wish


def title(reference: Reference) -> str:
    """Data set, network, schedule, precision and full-precision model of a reference."""
    board = reference.board
    return f"{board.dataset} {board.model} {board.schedule} {board.precision} init {short(board.init)}"


def fitting(references: Sequence[Reference], subject: Subject, wish: Wish) -> list[Reference]:
    """The references that a wish's filters, schedule and precision leave.

    Raises:
        NotComparable: if that is none, naming the leagues that there are.
    """
    found = [reference for reference in references if _wished(reference, subject, wish)]
    if not found:
        there = "; ".join(f"{' '.join(map(str, one.bits))} {title(one)}" for one in references)
        raise NotComparable(f"no reference of the league and bits that are asked for; there is {there}")
    return found


def suite_of(reference: Reference, subject: Subject, seeds: int) -> Suite:
    """The cells of a method that a reference is about."""
    board = reference.board
    axes: dict[str, list[Any]] = {
        "dataset": [board.dataset],
        "model": [board.model],
        "method": [subject.variant],
        "bits": reference.bits,
        "schedule": [board.schedule],
        "precision": [board.precision],
        "seed": list(range(seeds)),
    }
    return Suite(f"regress-{subject.method.card.name}", axes)


def require(reference: Reference, subject: Subject, planned: Planned) -> None:
    """Make sure that what runs here stands in a reference's league.

    Raises:
        NotComparable: naming everything that differs, there and here.
    """
    card, board, cell = settled(subject.method, subject.given), reference.board, planned.cell
    both = [
        ("full-precision model", short(board.init), short(cell.init)),
        ("test data", short(board.fingerprint), short(planned.fingerprint)),
        ("data access", reference.access, card.data),
        ("quantizer", reference.quantizer, card.quantizer),
        ("rules", reference.rules, RULES),
    ]
    if told := [f"{name} {there} there, {here} here" for name, there, here in both if there != here]:
        raise NotComparable(
            f"the reference of {reference.name} ({title(reference)}) is of another league: {'; '.join(told)}; "
            "freeze a new one, or give another with --baseline"
        )


def _wished(reference: Reference, subject: Subject, wish: Wish) -> bool:
    board = reference.board
    if wish.schedule not in (None, board.schedule) or wish.precision not in (None, board.precision):
        return False
    return any(wish.covers(point) for point in suite_of(reference, subject, 1).points())

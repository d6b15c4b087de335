"""Declining: a cell is declined with a reason, and one that is not declined can be built."""

from __future__ import annotations

from bench.conformance import places
from bench.conformance.report import Problem
from bench.conformance.run import stirred
from bench.conformance.trial import Trial
from bench.spec import FULL, PRECISIONS, Bits, Cell

WIDTHS = tuple(Bits(w, a) for w, a in ((2, 2), (2, 8), (3, 3), (4, 4), (8, 2), (8, 8)))


def check(trial: Trial) -> list[Problem]:
    widths = WIDTHS if trial.card.quantizes else (FULL,)
    found = [_answer(trial, trial.cell(bits, precision)) for precision in PRECISIONS for bits in widths]
    return [problem for one in found for problem in one] or [p for bits in widths for p in _built(trial, bits)]


def _answer(trial: Trial, cell: Cell) -> list[Problem]:
    """What is wrong with the answer: it must be None or a reason, and the same when asked again."""
    try:
        answers = [trial.method.declines(cell) for _ in range(2)]
    except Exception as error:
        problem = f"declines raises {type(error).__name__} ({error}, {places.of_error(error)})"
        return [Problem(_name(cell), problem, "return the reason as text, or None")]
    if answers[0] != answers[1]:
        return [Problem(_name(cell), "is declined or not from one call to the next", "let the cell alone decide")]
    if answers[0] is None or (isinstance(answers[0], str) and answers[0].strip()):
        return []
    return [Problem(_name(cell), f"declines returns {answers[0]!r}", "return the reason as text, or None")]


def _built(trial: Trial, bits: Bits) -> list[Problem]:
    """What building a cell raises that is not declined."""
    cell = trial.cell(bits)
    if trial.method.declines(cell):
        return []
    try:
        with stirred(1):
            trial.start(bits)
    except Exception as error:
        what = f"is not declined, but raises {type(error).__name__} ({error}, {places.of_error(error)})"
        return [Problem(_name(cell), what, "decline it with that reason, or make it run")]
    return []


def _name(cell: Cell) -> str:
    return f"{cell.model} {cell.bits} {cell.precision}"

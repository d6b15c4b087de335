"""The equal-budget view: how accurate methods are once they have seen as many images, or taken as many seconds.

Methods differ in batch and epochs, so their last epochs cost unlike amounts. A line gives, for each budget on a ladder
of 1, 3, 10, 30, ..., the accuracy after the last epoch that ended within it. Every epoch counts as an equal share of
what the cell spent as if alone, since epochs of a cell have equally many steps. The learning rate of a longer run had
not decayed as far by then, so that this is no accuracy of a run planned for the budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import count, groupby
from statistics import fmean
from typing import Any

from bench.report.contents import Report
from bench.report.document import Document, Grid, grid
from bench.report.figures import ABSENT, percent
from bench.report.frame import hundredfold, identity
from bench.report.notes import keys, settings, title
from bench.report.outcome import Outcome
from bench.report.rows import Row, Sheet

CURRENCIES = {"images": "training images seen", "seconds": "seconds spent, as if the cell ran alone"}
_NOTES = (
    "Top-1 in percent, mean over seeds, after the last epoch that ended within the budget; (in parentheses) where all "
    "seeds had ended by then; - where no epoch had. Lines stand by bits, data access and name, not by rank.",
    "Every epoch counts as an equal share of what its cell spent, though steps before the first update take less time. "
    "A run that is cut short had not decayed its learning rate as one planned for that budget would have: these are "
    "points of its curve, no results of shorter runs.",
)


def document(report: Report, dataset: str) -> Document:
    """The equal-budget view of a data set, for each currency in which costs were recorded."""
    views = [(sheet, name, budgets(sheet.rows, name)) for sheet in report.sheets for name in CURRENCIES]
    grids = tuple(_grid(sheet, name, ladder) for sheet, name, ladder in views if ladder)
    points = [(row, name, budget) for sheet, name, ladder in views for row in sheet.rows for budget in ladder]
    return Document("budget", dataset, grids, _data(points))


def budgets(rows: Iterable[Row], currency: str) -> list[float]:
    """The rungs 1, 3, 10, 30, ... from the first that some epoch ended within to the first that all did."""
    spans = [(total / len(o.curve), total) for row in rows for o in row.outcomes if (total := _total(o, currency))]
    if not spans:
        return []
    least, most = min(first for first, _ in spans), max(total for _, total in spans)
    ladder = []
    for rung in _rungs():
        if rung >= least:
            ladder.append(rung)
        if rung >= most:
            return ladder
    raise AssertionError("the ladder has no end")


def within(row: Row, currency: str, budget: float) -> tuple[float, bool] | None:
    """Mean accuracy within a budget, a share, and whether all seeds had ended; None where some had no epoch by then."""
    found = []
    for outcome in row.outcomes:
        total = _total(outcome, currency)
        epochs = len(outcome.curve) if total and total <= budget else _ended(outcome, total, budget)
        if not epochs:
            return None
        found.append((outcome.curve[epochs - 1], epochs == len(outcome.curve)))
    return fmean(top1 for top1, _ in found), all(ended for _, ended in found)


def _ended(outcome: Outcome, total: float | None, budget: float) -> int:
    """Epochs that ended within a budget."""
    return math.floor(budget / total * len(outcome.curve)) if total else 0


def _total(outcome: Outcome, currency: str) -> float | None:
    """What a cell spent; None where it or the curve was not recorded."""
    return getattr(outcome.spent, currency) if outcome.curve else None


def _rungs() -> Iterator[float]:
    return (step * 10.0**power for power in count() for step in (1, 3))


def _grid(sheet: Sheet, currency: str, ladder: list[float]) -> Grid:
    by_name = sorted(sheet.rows, key=lambda row: (*row.entry.league.order, row.label, row.entry.platform))
    by_bits = groupby(by_name, lambda row: row.entry.league.bits)
    sections = [[_line(sheet, row, currency, ladder) for row in rows] for _, rows in by_bits]
    places = "; ".join(f"{key} = {platform}" for platform, key in keys(sheet.platforms, "p").items())
    machines = " Seconds compare on one machine alone." if currency == "seconds" else ""
    notes = (f"Budgets: {CURRENCIES[currency]}.{machines}", *_NOTES, f"{settings(sheet.board)} on: {places}.")
    name, key = f"{title(sheet.board)} · at equal {currency}", f"budget-{currency}-{sheet.board.key}"
    return grid(name, key, sections, list(map(_heading, ladder)), (), notes)


def _line(sheet: Sheet, row: Row, currency: str, ladder: list[float]) -> dict[str, str]:
    league = row.entry.league
    named = {"bits": str(league.bits), "data": league.access, "method": row.label}
    reached = {_heading(budget): _shown(within(row, currency, budget)) for budget in ladder}
    return {**named, **reached, "on": keys(sheet.platforms, "p")[row.entry.platform]}


def _heading(budget: float) -> str:
    return f"{budget:,.0f}"


def _shown(found: tuple[float, bool] | None) -> str:
    if found is None:
        return ABSENT
    top1, ended = found
    return f"({percent(top1)})" if ended else percent(top1)


def _data(points: list[tuple[Row, str, float]]) -> dict[str, list[Any]]:
    found = [within(*point) for point in points]
    return {
        **identity([row for row, _, _ in points]),
        "currency": [currency for _, currency, _ in points],
        "budget": [budget for _, _, budget in points],
        "top1_percent": [hundredfold(reached[0] if reached else None) for reached in found],
        "ended": ["" if reached is None else str(reached[1]).lower() for reached in found],
    }

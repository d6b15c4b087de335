"""How far the seeds of one row lie apart."""

from __future__ import annotations

from itertools import groupby

from bench.plots.accuracy import TOP1
from bench.plots.figure import Axis, Figure, Line, Panel, Point
from bench.plots.naming import names, order
from bench.report.notes import title
from bench.report.rows import Row, Sheet

_NOTE = (
    "One mark a seed, the bar is ± one standard deviation around their mean. All seeds start from the same "
    "full-precision model, so the spread says nothing of others."
)


def seeds(sheet: Sheet) -> Figure | None:
    """The accuracy of each seed, a panel a bit-width; None where no row has two seeds."""
    named = [(name, row) for name, row in zip(names(sheet), sheet.rows, strict=True) if row.n > 1]
    panels = tuple(_panel(str(bits), list(rows)) for bits, rows in groupby(named, lambda n: n[1].entry.league.bits))
    heading = f"Spread over seeds: {title(sheet.board)}"
    return Figure("seeds", heading, _NOTE, panels, order(sheet)) if panels else None


def _panel(bits: str, named: list[tuple[str, Row]]) -> Panel:
    lines = []
    for place, (name, row) in enumerate(named):
        marks = tuple(Point(place - 0.12, 100 * outcome.last) for outcome in row.outcomes)
        sd = row.sd or 0.0
        mean = Point(place + 0.12, 100 * row.last, 100 * (row.last - sd), 100 * (row.last + sd))
        lines.append(Line(name, (*marks, mean), joined=False))
    axis = Axis("", tuple(f"{name} (n = {row.n})" for name, row in named))
    return Panel(bits, axis, Axis(TOP1), tuple(lines))

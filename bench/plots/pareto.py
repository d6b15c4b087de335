"""Accuracy against what a model costs."""

from __future__ import annotations

from bench.plots.accuracy import NOTE, TOP1, interval
from bench.plots.figure import Axis, Figure, Line, Panel, Point
from bench.plots.naming import names, order
from bench.report.measured import Measured
from bench.report.notes import title
from bench.report.rows import Sheet

_COSTS = (
    ("bit_operations", 1e9, "bit-operations of one image, 10^9"),
    ("packed_bytes", 1e3, "packed weights, kB"),
)


def pareto(sheet: Sheet, measured: Measured) -> Figure | None:
    """Accuracy against bit-operations and against packed size; None where no cost was measured."""
    panels = [_panel(sheet, measured, *cost) for cost in _COSTS]
    found = tuple(panel for panel in panels if panel)
    if not found:
        return None
    note = f"The line joins the models that no other one beats on both axes. {NOTE}"
    return Figure("pareto", f"Accuracy against cost: {title(sheet.board)}", note, found, order(sheet))


def _panel(sheet: Sheet, measured: Measured, cost: str, unit: float, label: str) -> Panel | None:
    lines: dict[str, list[Point]] = {}
    for name, row in zip(names(sheet), sheet.rows, strict=True):
        if price := measured.cost(row.models).get(cost):
            lines.setdefault(name, []).append(Point(price / unit, 100 * row.last, *interval(row)))
    if not lines:
        return None
    drawn = tuple(Line(name, tuple(lines[name]), joined=False) for name in sorted(lines))
    best = Line("Pareto front", front([point for line in drawn for point in line.points]), quiet=True)
    return Panel("", Axis(label, log=True), Axis(TOP1), (*drawn, best))


def front(points: list[Point]) -> tuple[Point, ...]:
    """The points that none other beats: none is as cheap and more accurate, or cheaper and as accurate."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, -p.y)):
        if not kept or point.y > kept[-1].y:
            kept.append(point)
    return tuple(Point(point.x, point.y) for point in kept)

"""Accuracy against bit-width."""

from __future__ import annotations

from bench.plots.figure import Axis, Figure, Line, Panel, Point
from bench.plots.naming import names, order
from bench.report.notes import title
from bench.report.rows import Row, Sheet

TOP1 = "top-1 after the last epoch, %"
NOTE = (
    "Bars: ± one standard deviation over seeds; for one seed, the Wilson 95 % interval of that one trained model. "
    "Under five seeds nothing is called better."
)


def accuracy(sheet: Sheet) -> Figure:
    """Each method's mean accuracy at each bit-width, with the full-precision model as a reference."""
    widths = sorted({row.entry.league.bits for row in sheet.rows})
    named = list(zip(names(sheet), sheet.rows, strict=True))
    places = {name: place for place, name in enumerate(order(sheet))}
    lines: dict[str, list[Point]] = {name: [] for name in places}
    for name, row in named:
        x = widths.index(row.entry.league.bits) + _beside(places[name], len(places))
        lines[name].append(Point(x, 100 * row.last, *interval(row)))
    drawn = tuple(Line(name, tuple(points)) for name, points in lines.items())
    axis = Axis("bits of weights and activations", tuple(map(str, widths)))
    panel = Panel("", axis, Axis(TOP1), (*drawn, *_full(sheet, len(widths))))
    return Figure("accuracy", f"Accuracy against bit-width: {title(sheet.board)}", NOTE, (panel,), order(sheet))


def interval(row: Row) -> tuple[float, float]:
    """What the table shows as `± sd`, as bounds in percent."""
    if row.interval:
        return 100 * row.interval[0], 100 * row.interval[1]
    sd = row.sd or 0.0
    return 100 * (row.last - sd), 100 * (row.last + sd)


def _beside(place: int, count: int) -> float:
    """How far a line stands aside, so that intervals at one bit-width do not hide each other."""
    return (place - (count - 1) / 2) * min(0.08, 0.6 / count)


def _full(sheet: Sheet, widths: int) -> list[Line]:
    """The full-precision model's accuracy as a level line across all bit-widths."""
    shares = dict.fromkeys(top1 for top1, _ in sheet.full)
    ends = (-0.3, widths - 0.7)
    return [
        Line(f"full precision {100 * top1:.2f}", tuple(Point(x, 100 * top1) for x in ends), quiet=True)
        for top1 in shares
    ]

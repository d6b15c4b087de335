"""Plots of one record alone, small enough to embed many of them."""

from __future__ import annotations

from bench.plots.curves import EPOCH, loss_lines, top1
from bench.plots.figure import Axis, Figure, Line, Panel, Point
from bench.plots.layers import LAYERS, quantities
from bench.records import Record

MOST = 32
"""Epochs that a curve keeps."""


def single(record: Record) -> list[Figure]:
    """Training curves and layers of a record, as far as it has them."""
    return [figure for figure in (_accuracy(record), _losses(record), _layers(record)) if figure]


def thinned(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """At most MOST of the points, evenly chosen, with the first and the last."""
    count = len(points)
    if count <= MOST:
        return points
    return tuple(points[round(place * (count - 1) / (MOST - 1))] for place in range(MOST))


def _accuracy(record: Record) -> Figure | None:
    shares = top1(record)
    panel = Panel("", EPOCH, Axis("top-1, %"), (Line("", thinned(shares)),))
    return Figure("curves", "Accuracy", _note(shares), (panel,)) if len(shares) > 1 else None


def _losses(record: Record) -> Figure | None:
    lines = loss_lines(record)
    drawn = tuple(Line(line.label, thinned(line.points)) for line in lines)
    panel = Panel("", EPOCH, Axis("mean loss", log=True), drawn)
    return Figure("losses", "Losses", _note(lines[0].points), (panel,)) if lines else None


def _layers(record: Record) -> Figure | None:
    panels = tuple(
        Panel("", Axis("", tuple(values)), Axis(quantity), (Line("", _points(values)),))
        for quantity, values in quantities(record).items()
    )
    return Figure("layers", "Layer by layer", LAYERS, panels) if panels else None


def _points(values: dict[str, float]) -> tuple[Point, ...]:
    return tuple(Point(place, value) for place, value in enumerate(values.values()))


def _note(points: tuple[Point, ...]) -> str:
    thin = f" {MOST} of {len(points)} epochs are shown." if len(points) > MOST else ""
    return f"At the end of each epoch, of which the first has number 0.{thin}"

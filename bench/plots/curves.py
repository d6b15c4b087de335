"""What happened epoch by epoch: accuracy and losses."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

from bench.plots.figure import Axis, Figure, Line, Panel, Point
from bench.plots.naming import names, order
from bench.plots.sources import Source, Sources
from bench.records import Record
from bench.report.notes import title
from bench.report.rows import Sheet

EPOCH = Axis("epoch")
_Named = tuple[str, str, list[Source]]


def curves(sheet: Sheet, sources: Sources) -> Figure | None:
    """Accuracy after each epoch, a panel a bit-width, a line a seed; None where no record has two epochs."""
    panels = []
    for bits, named in groupby(_named(sheet, sources), lambda part: part[0]):
        lines = [line for _, name, found in named for line in _lines(name, found)]
        if lines:
            panels.append(Panel(bits, EPOCH, Axis("top-1, %"), tuple(lines)))
    note = "One line a seed. Accuracy at the end of each epoch, of which the first has number 0."
    heading = f"Training: {title(sheet.board)}"
    return Figure("curves", heading, note, tuple(panels), order(sheet)) if panels else None


def losses(sheet: Sheet, sources: Sources) -> Figure | None:
    """Mean losses of each epoch, a panel a row, of its first seed; None where no record has two epochs."""
    panels = []
    for bits, name, found in _named(sheet, sources):
        if lines := loss_lines(found[0].record):
            panels.append(Panel(f"{bits} {name}", EPOCH, Axis("mean loss", log=True), tuple(lines)))
    note = "Losses of each row's first seed as the method names them; those that reach zero are left out."
    return Figure("losses", f"Losses: {title(sheet.board)}", note, tuple(panels)) if panels else None


def loss_lines(record: Record) -> list[Line]:
    """A record's losses by name; none of one epoch, and none that reaches zero, which has no logarithm."""
    series = sorted(epochs_of(record, "losses").items())
    return [Line(name, points) for name, points in series if len(points) > 1 and min(point.y for point in points) > 0]


def epochs_of(record: Record, part: str) -> dict[str, tuple[Point, ...]]:
    """The numbers that epochs hold under `part`, each name's by epoch; what is no number is left out."""
    found: dict[str, list[Point]] = {}
    for epoch in _epochs(record):
        values = epoch.get(part)
        for name, value in values.items() if isinstance(values, dict) else ():
            if _number(value):
                found.setdefault(str(name), []).append(Point(epoch["epoch"], float(value)))
    return {name: tuple(points) for name, points in found.items()}


def top1(record: Record) -> tuple[Point, ...]:
    """Accuracy in percent after each epoch."""
    return tuple(Point(epoch["epoch"], 100 * epoch["top1"]) for epoch in _epochs(record) if _number(epoch.get("top1")))


def _lines(name: str, found: list[Source]) -> list[Line]:
    lines = [Line(name, top1(source.record)) for source in found]
    return [line for line in lines if len(line.points) > 1]


def _named(sheet: Sheet, sources: Sources) -> list[_Named]:
    rows = zip(names(sheet), sheet.rows, strict=True)
    return [(str(row.entry.league.bits), name, sources.of(row)) for name, row in rows]


def _epochs(record: Record) -> list[dict[str, Any]]:
    epochs = record.result.get("epochs")
    return [e for e in epochs if isinstance(e, dict) and _number(e.get("epoch"))] if isinstance(epochs, list) else []


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)

"""What records know of each layer: signal-to-quantization-noise, ranges, gradient norms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from statistics import fmean
from typing import Any

from bench.plots.curves import epochs_of
from bench.plots.figure import Axis, Figure, Line, Panel, Point
from bench.plots.naming import names, order
from bench.plots.sources import Sources
from bench.records import Record
from bench.report.notes import title
from bench.report.rows import Sheet

LAYERS = (
    "Ranges: upper minus lower end of an activation's grid, after training. Gradient norms: mean over the epochs in "
    "which they were recorded."
)
_GRADIENT = "gradient/"


def layers(sheet: Sheet, sources: Sources) -> Figure | None:
    """Each quantity layer by layer, a panel a bit-width and quantity; None where no record has any."""
    rows = zip(names(sheet), sheet.rows, strict=True)
    known = [(str(row.entry.league.bits), name, quantities(sources.of(row)[0].record)) for name, row in rows]
    panels = []
    for bits, part in groupby(known, lambda row: row[0]):
        panels += _panels(bits, [(name, found) for _, name, found in part])
    heading, note = f"Layer by layer: {title(sheet.board)}", f"The first seed of each row. {LAYERS}"
    return Figure("layers", heading, note, tuple(panels), order(sheet)) if panels else None


def quantities(record: Record) -> dict[str, dict[str, float]]:
    """What a record knows of each layer: values by layer under the name of each quantity that it has."""
    noise = record.result.get("signal_to_noise")
    noise = noise if isinstance(noise, dict) else {}
    watched = {**epochs_of(record, "watched"), **epochs_of(record, "gradient_norms")}
    gradients = {
        name.removeprefix(_GRADIENT): fmean(point.y for point in points)
        for name, points in watched.items()
        if name.startswith(_GRADIENT) or "/" not in name
    }
    found = {
        "weights: signal to quantization noise, dB": _numbers(noise.get("weights")),
        "activations: signal to quantization noise, dB": _numbers(noise.get("activations")),
        "activations: width of the range": dict(_widths(record.result.get("ranges"))),
        "weights: gradient norm": gradients,
    }
    return {quantity: values for quantity, values in found.items() if values}


def _panels(bits: str, known: list[tuple[str, dict[str, dict[str, float]]]]) -> list[Panel]:
    panels = []
    for quantity in dict.fromkeys(quantity for _, found in known for quantity in found):
        places = list(dict.fromkeys(layer for _, found in known for layer in found.get(quantity, {})))
        lines = tuple(
            Line(name, tuple(Point(places.index(layer), value) for layer, value in found[quantity].items()))
            for name, found in known
            if quantity in found
        )
        panels.append(Panel(bits, Axis("", tuple(places)), Axis(quantity), lines))
    return panels


def _numbers(values: Any) -> dict[str, float]:
    found = values.items() if isinstance(values, dict) else ()
    return {str(name): float(value) for name, value in found if _finite(value)}


def _widths(ranges: Any) -> Iterator[tuple[str, float]]:
    for name, ends in ranges.items() if isinstance(ranges, dict) else ():
        if isinstance(ends, list) and len(ends) == 2 and all(_finite(end) for end in ends):
            yield str(name), float(ends[1] - ends[0])


def _finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)

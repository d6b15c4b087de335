"""Which plots a table or a record has the numbers for."""

from __future__ import annotations

from bench.plots.accuracy import accuracy
from bench.plots.curves import curves, losses
from bench.plots.figure import Figure
from bench.plots.layers import layers
from bench.plots.pareto import pareto
from bench.plots.seeds import seeds
from bench.plots.sources import Sources
from bench.report.measured import Measured
from bench.report.rows import Sheet

KINDS = ("accuracy", "pareto", "seeds", "curves", "losses", "layers")


def overviews(sheet: Sheet, measured: Measured) -> list[Figure]:
    """Plots of a table's numbers."""
    return [figure for figure in (accuracy(sheet), pareto(sheet, measured), seeds(sheet)) if figure]


def closeups(sheet: Sheet, sources: Sources) -> list[Figure]:
    """Plots of what the records behind a table hold epoch by epoch and layer by layer."""
    found = (curves(sheet, sources), losses(sheet, sources), layers(sheet, sources))
    return [figure for figure in found if figure]

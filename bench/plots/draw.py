"""Figures drawn by matplotlib as SVG: the same figure gives the same bytes under one version of matplotlib."""

from __future__ import annotations

import io
import math
import textwrap
from typing import TYPE_CHECKING, Any

from bench.extras import package
from bench.plots.figure import Axis, Figure, Line, Panel
from bench.plots.style import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_MARKERS = {
    "circle": "o", "square": "s", "triangle": "^", "diamond": "D", "cross": "x", "down": "v", "plus": "+", "star": "*",
}  # fmt: skip
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "lowbit-bench",  # else ids are drawn at random
    "svg.fonttype": "none",  # text stays text
    "text.parse_math": False,  # a method's name may hold a dollar
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that sizes are the same everywhere
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "axes.unicode_minus": False,
}
_WIDE = 4.6
_HIGH = 3.2
_COLUMNS = 3
_LEGIBLE = 16
_MARKS = 40
_WITHIN_A_DECADE = (1, 1.5, 2, 3, 4, 5, 6, 8)
_OVER_DECADES = (1, 2, 5)


def svg(figure: Figure) -> bytes:
    """The figure as SVG.

    Raises:
        MissingExtra: if matplotlib is not installed.
    """
    package("matplotlib", "plots", "drawing plots")
    import matplotlib.style
    from matplotlib.figure import Figure as Canvas

    with matplotlib.style.context("default"), matplotlib.rc_context(_SETTINGS):
        columns = min(_COLUMNS, len(figure.panels))
        rows = math.ceil(len(figure.panels) / columns)
        canvas = Canvas(figsize=(_WIDE * columns + 2.2, (_HIGH + _names(figure)) * rows + 0.7), layout="constrained")
        _panels(canvas, figure, rows, columns)
        buffer = io.BytesIO()
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Title": figure.title})
    return buffer.getvalue()


def _panels(canvas: Canvas, figure: Figure, rows: int, columns: int) -> None:
    places = {label: place for place, label in enumerate(figure.labels)}
    grid = list(canvas.subplots(rows, columns, squeeze=False).flat)
    for axes, panel in zip(grid, figure.panels, strict=False):
        _panel(axes, panel, places)
    for axes in grid[len(figure.panels) :]:
        axes.remove()
    canvas.suptitle(figure.title, fontsize=9)
    canvas.supxlabel(textwrap.fill(figure.note, int(18 * canvas.get_figwidth())), fontsize=6.5, color="#444444")
    named = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in canvas.axes]
    handles = {label: handle for pairs in named for handle, label in pairs}
    canvas.legend(handles.values(), handles.keys(), loc="outside right center", fontsize=7, frameon=False)


def _panel(axes: Axes, panel: Panel, places: dict[str, int]) -> None:
    for line in panel.lines:
        _line(axes, line, places)
    axes.set_title(panel.title, fontsize=8)
    axes.set_xscale("log" if panel.x.log else "linear")
    axes.set_yscale("log" if panel.y.log else "linear")
    if panel.x.names:
        axes.set_xlim(-0.5, len(panel.x.names) - 0.5)
    _axis(axes.xaxis, panel.x)
    _axis(axes.yaxis, panel.y)


def _line(axes: Axes, line: Line, places: dict[str, int]) -> None:
    x, y = [point.x for point in line.points], [point.y for point in line.points]
    if line.quiet:
        axes.plot(x, y, color="#777777", linestyle=(0, (3, 2)), linewidth=0.8, label=line.label, zorder=1)
        return
    look = style(places[line.label])
    dash: Any = (0, look.dash) if look.dash else "-"
    marks: dict[str, Any] = {"marker": _MARKERS[look.marker], "markersize": 4, "markevery": 1 + len(x) // _MARKS}
    axes.plot(
        x, y, color=look.colour, linestyle=dash if line.joined else "none", linewidth=1.2, label=line.label, **marks
    )
    for point in line.points:
        if point.low is not None and point.high is not None:
            below, above = point.y - point.low, point.high - point.y
            axes.errorbar(point.x, point.y, [[below], [above]], color=look.colour, capsize=2, linewidth=0.8)


def _axis(drawn: Any, axis: Axis) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    drawn.set_label_text(axis.label)
    if axis.log:
        low, high = drawn.get_view_interval()
        steps = _WITHIN_A_DECADE if high < 10 * low else _OVER_DECADES
        drawn.set_major_locator(LogLocator(subs=steps, numticks=9))
        drawn.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        drawn.set_minor_locator(NullLocator())
    if axis.names:
        small = 5 if len(axis.names) > _LEGIBLE else 7
        drawn.set_ticks(range(len(axis.names)), axis.names, rotation=90 if _slanted(axis) else 0, fontsize=small)


def _names(figure: Figure) -> float:
    """Height in inches that the longest upright name beneath a panel takes."""
    return max(0.05 * max(map(len, panel.x.names)) if _slanted(panel.x) else 0.0 for panel in figure.panels)


def _slanted(axis: Axis) -> bool:
    return len(axis.names) > 6 or any(len(name) > 12 for name in axis.names)

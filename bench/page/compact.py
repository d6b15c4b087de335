"""Figures as the page embeds them: columns of numbers at four significant digits instead of points."""

from __future__ import annotations

from typing import Any

from bench.plots.figure import Axis, Figure, Line, Panel
from bench.report.text import plain


def compact(figure: Figure) -> dict[str, Any]:
    """What bench/page/charts.js draws."""
    panels = [_panel(panel) for panel in figure.panels]
    labels = [plain(label) for label in figure.labels]
    return {"title": plain(figure.title), "note": plain(figure.note), "labels": labels, "panels": panels}


def rounded(value: float | None) -> float | int | None:
    """A number at four significant digits, whole where it can be."""
    if value is None:
        return None
    near = float(f"{value:.4g}")
    return int(near) if near.is_integer() and abs(near) < 1e15 else near


def _panel(panel: Panel) -> dict[str, Any]:
    axes = {"x": _axis(panel.x), "y": _axis(panel.y)}
    return {"title": plain(panel.title), **axes, "lines": [_line(line) for line in panel.lines]}


def _axis(axis: Axis) -> dict[str, Any]:
    names = {"names": [plain(name) for name in axis.names]} if axis.names else {}
    return {"label": plain(axis.label), **names, **({"log": True} if axis.log else {})}


def _line(line: Line) -> dict[str, Any]:
    made: dict[str, Any] = {"label": plain(line.label)}
    made |= {} if line.joined else {"apart": True}
    made |= {"quiet": True} if line.quiet else {}
    made |= {"x": [rounded(point.x) for point in line.points], "y": [rounded(point.y) for point in line.points]}
    if any(point.low is not None for point in line.points):
        made |= {"low": [rounded(p.low) for p in line.points], "high": [rounded(p.high) for p in line.points]}
    return made

"""What a plot shows, as plain data: the same whether matplotlib or the page's script draws it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One mark. `low` and `high` bound its interval along y, both None where it has none."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """Marks of one kind. `joined` says whether a line runs through them, `quiet` whether they are a reference."""

    label: str
    points: tuple[Point, ...]
    joined: bool = True
    quiet: bool = False


@dataclass(frozen=True)
class Axis:
    """One direction. With `names`, positions 0, 1, ... have these names; `log` is for positive numbers."""

    label: str
    names: tuple[str, ...] = ()
    log: bool = False


@dataclass(frozen=True)
class Panel:
    """One pair of axes with its lines."""

    title: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Figure:
    """A plot: panels that share a legend.

    Attributes:
        kind: one word, part of the file's name. title, note: what stands above and beneath it.
        order: labels by whose places lines get their looks, so that plots of one table agree; else that of appearance.
    """

    kind: str
    title: str
    note: str
    panels: tuple[Panel, ...]
    order: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """Labels of all lines but the quiet ones, each once, and of lines that other plots of the table have."""
        lines = (line for panel in self.panels for line in panel.lines if not line.quiet)
        return list(dict.fromkeys([*self.order, *(line.label for line in lines)]))

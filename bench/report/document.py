"""What a rendered file holds: grids of text, lists of lines and, for CSV, the same as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.report.figures import ABSENT


@dataclass(frozen=True)
class Grid:
    """One table as text, the same for terminal, Markdown and LaTeX.

    Attributes:
        title: one line. key: its name among all tables, for references.
        columns: their names. right: those of numbers.
        sections: lines of cells, set apart from the lines of other sections. notes: what stands beneath.
    """

    title: str
    key: str
    columns: tuple[str, ...]
    right: frozenset[str]
    sections: tuple[tuple[tuple[str, ...], ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def alignment(self) -> list[str]:
        """`left` or `right` for each column."""
        return ["right" if column in self.right else "left" for column in self.columns]

    @property
    def lines(self) -> list[tuple[str, ...]]:
        """All lines, without sections."""
        return [line for section in self.sections for line in section]


@dataclass(frozen=True)
class Document:
    """What one stem of files holds.

    Attributes:
        kind: what it tells of a data set; see `bench.report.documents`. dataset: which.
        grids: tables in order. lists: headings with their lines.
        data: columns of the CSV, names with units.
    """

    kind: str
    dataset: str
    grids: tuple[Grid, ...]
    data: Mapping[str, Sequence[Any]]
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()


def grid(
    title: str,
    key: str,
    sections: Sequence[Sequence[Mapping[str, str]]],
    right: Sequence[str],
    optional: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Grid:
    """A grid of lines given as cells by column, without those `optional` columns in which no line has anything.

    Every line has the same columns in the same order.
    """
    whole = [section for section in sections if section]
    lines = [line for section in whole for line in section]
    empty = {name for name in optional if all(line[name] in ("", ABSENT) for line in lines)}
    columns = tuple(name for name in lines[0] if name not in empty)
    cells = tuple(tuple(tuple(line[name] for name in columns) for line in section) for section in whole)
    return Grid(title, key, columns, frozenset(right), cells, tuple(notes))

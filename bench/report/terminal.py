"""Documents for the terminal, at most 120 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from bench.report.contents import Report
from bench.report.document import Document, Grid
from bench.report.documents import KINDS, documents

WIDTH = 120
_NARROWEST = 12
_WRAPPED = ("method", "here", "schedule")
_MOST = 20
NOTHING = "Nothing to show yet: no quantized cell has left a record. Run a sweep first, e.g. make bench-cifar10"


def terminal(report: Report, only_dataset: str | None = None, kind: str = "accuracy") -> str:
    """Tables of a kind, of all data sets or one, as text that ends with a newline."""
    if only_dataset is not None and report.datasets and only_dataset not in report.datasets:
        return f"No records of {only_dataset} yet; there are some of {', '.join(report.datasets)}\n"
    found = [d for d in documents(report, [kind]) if only_dataset in (None, d.dataset)]
    if not found:
        return f"{NOTHING if kind == 'accuracy' or not report.sheets else f'Nothing to show yet of: {KINDS[kind]}'}\n"
    return "\n\n".join(block for document in found for block in _blocks(document)) + "\n"


def _blocks(document: Document) -> list[str]:
    return [*map(_grid, document.grids), *(_list(heading, lines) for heading, lines in document.lists)]


def _grid(grid: Grid) -> str:
    return "\n".join([grid.title, "", _table(grid), "", *map(_wrapped, grid.notes)])


def _table(grid: Grid) -> str:
    from tabulate import SEPARATING_LINE, tabulate

    lines = [grid.columns, *(line for section in grid.sections for line in [SEPARATING_LINE, *section])]
    width = _share(grid)
    widths = [width if column in _WRAPPED else None for column in grid.columns]
    text: str = tabulate(lines, tablefmt="simple", disable_numparse=True, colalign=grid.alignment, maxcolwidths=widths)
    return text


def _share(grid: Grid) -> int:
    """Width for each column that wraps, of what the others leave."""
    columns = list(zip(grid.columns, *grid.lines, strict=True))
    fixed = [column for column in columns if column[0] not in _WRAPPED]
    taken = sum(2 + max(map(len, column)) for column in fixed)
    return max((WIDTH - taken) // max(1, len(columns) - len(fixed)) - 2, _NARROWEST)


def _list(heading: str, lines: Sequence[str]) -> str:
    more = [f"... and {len(lines) - _MOST} more, all of them in results/tables"] if len(lines) > _MOST else []
    return "\n".join([heading, *(_wrapped(f"- {line}") for line in [*lines[:_MOST], *more])])


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)

"""Tables for the terminal, at most 120 columns wide."""

from __future__ import annotations

import textwrap

from bench.report.contents import Report
from bench.report.layout import Layout, lay_out
from bench.report.notes import notes, title
from bench.report.rows import Sheet

WIDTH = 120
_NARROWEST = 12
_MOST = 20
NOTHING = "Nothing to show yet: no quantized cell has left a record. Run a sweep first, e.g. make bench-cifar10"


def terminal(report: Report, only_dataset: str | None = None) -> str:
    """The report, or its part about one data set, as text that ends with a newline."""
    wanted = report if only_dataset is None else report.only(only_dataset)
    if only_dataset is not None and report.datasets and only_dataset not in report.datasets:
        return f"No records of {only_dataset} yet; there are some of {', '.join(report.datasets)}\n"
    blocks = [_sheet(sheet) for sheet in wanted.sheets]
    blocks += [_list(heading, lines) for heading, lines in wanted.omissions]
    return "\n\n".join(blocks or [NOTHING]) + "\n"


def _sheet(sheet: Sheet) -> str:
    return "\n".join([title(sheet.board), "", _table(sheet), "", *(_wrapped(note) for note in notes(sheet))])


def _table(sheet: Sheet) -> str:
    from tabulate import SEPARATING_LINE, tabulate

    layout = lay_out(sheet)
    lines = [layout.columns, *(line for section in layout.sections for line in [SEPARATING_LINE, *section])]
    widths = [_rest(layout) if column == "method" else None for column in layout.columns]
    text: str = tabulate(
        lines, tablefmt="simple", disable_numparse=True, colalign=layout.alignment, maxcolwidths=widths
    )
    return text


def _rest(layout: Layout) -> int:
    """Width that the other columns leave to the method."""
    columns = zip(layout.columns, *layout.lines, strict=True)
    taken = sum(2 + max(map(len, column)) for column in columns if column[0] != "method")
    return max(WIDTH - taken, _NARROWEST)


def _list(heading: str, lines: list[str]) -> str:
    more = [f"... and {len(lines) - _MOST} more, all of them in results/tables"] if len(lines) > _MOST else []
    return "\n".join([heading, *(_wrapped(f"- {line}") for line in [*lines[:_MOST], *more])])


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)

"""Tables as GitHub-flavoured Markdown."""

from __future__ import annotations

from bench.report.contents import Report
from bench.report.layout import lay_out
from bench.report.notes import notes, title
from bench.report.rows import Sheet
from bench.report.text import for_markdown


def markdown(report: Report) -> str:
    """The report as Markdown, one section a table."""
    blocks = ["# " + ", ".join(map(for_markdown, report.datasets)), *(_sheet(sheet) for sheet in report.sheets)]
    blocks += [f"## {heading}\n\n{_bullets(lines)}" for heading, lines in report.omissions]
    return "\n\n".join(blocks) + "\n"


def _sheet(sheet: Sheet) -> str:
    return "\n\n".join([f"## {for_markdown(title(sheet.board))}", _table(sheet), _bullets(notes(sheet))])


def _table(sheet: Sheet) -> str:
    from tabulate import tabulate

    layout = lay_out(sheet)
    lines = [[for_markdown(cell) for cell in line] for line in layout.lines]
    text: str = tabulate(lines, layout.columns, "pipe", disable_numparse=True, colalign=layout.alignment)
    return text


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {for_markdown(line)}" for line in lines)

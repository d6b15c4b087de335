"""Documents as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from bench.report.document import Document, Grid
from bench.report.text import for_markdown


def markdown(document: Document) -> str:
    """A document as Markdown, one section a table."""
    heading = document.dataset if document.kind == "accuracy" else f"{document.dataset}: {document.kind}"
    blocks = [f"# {for_markdown(heading)}", *(f"## {for_markdown(g.title)}\n\n{body(g)}" for g in document.grids)]
    blocks += [f"## {heading}\n\n{_bullets(lines)}" for heading, lines in document.lists]
    return "\n\n".join(blocks) + "\n"


def body(grid: Grid) -> str:
    """A table and its notes, without the title."""
    from tabulate import tabulate

    lines = [[for_markdown(cell) for cell in line] for line in grid.lines]
    text: str = tabulate(lines, grid.columns, "pipe", disable_numparse=True, colalign=grid.alignment)
    return "\n\n".join([text, _bullets(grid.notes)] if grid.notes else [text])


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {for_markdown(line)}" for line in lines)

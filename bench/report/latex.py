"""Documents as LaTeX with booktabs, to \\input into a paper."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.report.document import Document, Grid
from bench.report.text import for_latex, latex_symbols


def latex(document: Document) -> str:
    """A document as LaTeX source in UTF-8; needs the package booktabs."""
    blocks = [r"% needs \usepackage{booktabs}", *(_grid(grid) for grid in document.grids)]
    blocks += [_list(heading, lines) for heading, lines in document.lists]
    return "\n\n".join(blocks) + "\n"


def _grid(grid: Grid) -> str:
    head = [r"\begin{table}[p]", r"\centering", r"\footnotesize\setlength{\tabcolsep}{3pt}"]
    label = "tab:" + re.sub(r"[^A-Za-z0-9:-]", "-", grid.key)
    caption = rf"\caption{{{for_latex(grid.title)}}}\label{{{label}}}"
    beneath = [rf"\par {for_latex(note)}" for note in grid.notes]
    return "\n".join([*head, caption, _tabular(grid), r"\raggedright\scriptsize", *beneath, r"\end{table}"])


def _tabular(grid: Grid) -> str:
    from tabulate import SEPARATING_LINE, tabulate

    sections = [[[_minus(cell) for cell in line] for line in section] for section in grid.sections]
    lines = [line for section in sections for line in [*section, SEPARATING_LINE]][:-1]
    source = tabulate(lines, grid.columns, "latex_booktabs", disable_numparse=True, colalign=grid.alignment)
    return latex_symbols(source)


def _minus(cell: str) -> str:
    return re.sub(r"^-(?=\d)", "−", cell)


def _list(heading: str, lines: Iterable[str]) -> str:
    items = "\n".join(rf"\item {for_latex(line)}" for line in lines)
    return f"\\paragraph{{{for_latex(heading)}}}\n\\begin{{itemize}}\n{items}\n\\end{{itemize}}"

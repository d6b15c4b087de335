"""Tables as LaTeX with booktabs, to \\input into a paper."""

from __future__ import annotations

import re

from bench.report.contents import Report
from bench.report.layout import lay_out
from bench.report.leagues import Board
from bench.report.notes import notes, title
from bench.report.rows import Sheet
from bench.report.text import for_latex, latex_symbols, short


def latex(report: Report) -> str:
    """The report as LaTeX source in UTF-8; needs the package booktabs."""
    blocks = [r"% needs \usepackage{booktabs}", *(_sheet(sheet) for sheet in report.sheets)]
    blocks += [_list(heading, lines) for heading, lines in report.omissions]
    return "\n\n".join(blocks) + "\n"


def _sheet(sheet: Sheet) -> str:
    head = [r"\begin{table}[p]", r"\centering", r"\footnotesize\setlength{\tabcolsep}{3pt}"]
    caption = rf"\caption{{{for_latex(title(sheet.board))}}}\label{{{_label(sheet.board)}}}"
    beneath = [rf"\par {for_latex(note)}" for note in notes(sheet)]
    return "\n".join([*head, caption, _tabular(sheet), r"\raggedright\scriptsize", *beneath, r"\end{table}"])


def _tabular(sheet: Sheet) -> str:
    from tabulate import SEPARATING_LINE, tabulate

    layout = lay_out(sheet)
    sections = [[[_minus(cell) for cell in line] for line in section] for section in layout.sections]
    lines = [line for section in sections for line in [*section, SEPARATING_LINE]][:-1]
    source = tabulate(lines, layout.columns, "latex_booktabs", disable_numparse=True, colalign=layout.alignment)
    return latex_symbols(source)


def _minus(cell: str) -> str:
    return re.sub(r"^-(?=\d)", "−", cell)


def _label(board: Board) -> str:
    parts = [board.dataset, board.model, board.schedule, board.precision, short(board.init), short(board.fingerprint)]
    return "tab:" + re.sub(r"[^A-Za-z0-9:-]", "-", "-".join(parts))


def _list(heading: str, lines: list[str]) -> str:
    items = "\n".join(rf"\item {for_latex(line)}" for line in lines)
    return f"\\paragraph{{{for_latex(heading)}}}\n\\begin{{itemize}}\n{items}\n\\end{{itemize}}"

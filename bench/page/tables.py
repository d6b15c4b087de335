"""Tables as HTML, of the same text as every other form of them; numbers lead to the records behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.page.markup import data, text
from bench.report.document import Grid

Keys = Callable[[dict[str, str], str], Sequence[str]]
"""Keys of the records behind one cell, given its line by column and its column."""

_WRAPPED = ("method", "reason", "cell", "note", "source")


def section(grid: Grid, dataset: str, schedule: str, keys: Keys, after: str = "") -> str:
    """A grid with its heading and notes; `after` is markup to stand beneath."""
    beneath = "".join(f"<p>{text(note)}</p>" for note in grid.notes)
    notes = f'<details class="notes"><summary>How to read this table</summary>{beneath}</details>' if beneath else ""
    return (
        f'<section class="grid" data-dataset="{text(dataset)}" data-schedule="{text(schedule)}">\n'
        f"<h3>{text(grid.title)}</h3>\n{_table(grid, keys)}\n{notes}{after}\n</section>"
    )


def _table(grid: Grid, keys: Keys) -> str:
    heads = "".join(_head(column, column in grid.right) for column in grid.columns)
    rows, place = [], 0
    for part in grid.sections:
        for line in part:
            rows.append(_row(grid, line, place, line is part[0], keys))
            place += 1
    body = "\n".join(rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(grid.title)}"><table>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _head(column: str, number: bool) -> str:
    kind = ' class="number"' if number else ""
    return f'<th scope="col" aria-sort="none"{kind}><button type="button">{text(column)}</button></th>'


def _row(grid: Grid, line: tuple[str, ...], place: int, first: bool, keys: Keys) -> str:
    named = dict(zip(grid.columns, line, strict=True))
    kinds = [name for name, so in (("first", first and place > 0), ("reference", _reference(named))) if so]
    marked = f' class="{" ".join(kinds)}"' if kinds else ""
    bits = f' data-bits="{text(named["bits"])}"' if "bits" in named else ""
    cells = "".join(_cell(grid, column, value, keys(named, column)) for column, value in named.items())
    return f'<tr{marked}{bits} data-place="{place}">{cells}</tr>'


def _cell(grid: Grid, column: str, value: str, records: Sequence[str]) -> str:
    kinds = [name for name, so in (("number", column in grid.right), ("wrap", column in _WRAPPED)) if so]
    marked = f' class="{" ".join(kinds)}"' if kinds else ""
    if not records:
        return f"<td{marked}>{text(value)}</td>"
    return f'<td{marked}><button type="button" data-records="{text(data(list(records)))}">{text(value)}</button></td>'


def _reference(named: dict[str, str]) -> bool:
    return named.get("method") == "full precision"

"""The overview of a board: methods by bit-widths, with what became of the cells that gave no number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.report.document import Grid, grid
from bench.report.figures import percent
from bench.report.leagues import Entry, place_of_access
from bench.report.notes import keys, title
from bench.report.omission import WhyNot
from bench.report.rows import Row, Sheet
from bench.spec import Bits

NOT_RUN = "."
_NOTES = (
    "Top-1 after the last epoch in percent, mean over seeds, ± standard deviation over them (number of seeds); one "
    "trained model where none is given. Lines stand by data access and name, not by rank.",
    f"{NOT_RUN} not run: there is no record. A word says how the cells ended that gave no number, see why not.",
)

Line = tuple[str, str, str, str]
"""Data access, quantizer, label and platform: what the cells of a line share."""


def overview(sheet: Sheet, whynot: Sequence[WhyNot]) -> list[Grid]:
    """The overview as a grid, or nothing where there is one bit-width alone."""
    cells: dict[tuple[Line, Bits], str] = {}
    for row in sheet.rows:
        cells[_line(row.entry, row.label), row.entry.league.bits] = _number(row)
    for entry, status in ((cell.entry, cell.status) for cell in whynot):
        if entry and entry.league.board == sheet.board and not entry.league.bits.full:
            cells.setdefault((_line(entry, entry.label), entry.league.bits), status)
    widths = sorted({bits for _, bits in cells})
    lines = sorted({line for line, _ in cells}, key=lambda line: (place_of_access(line[0]), *line[1:]))
    sections = [[_full(sheet, widths)], [_cells(sheet, line, widths, cells) for line in lines]]
    unneeded = [name for name, values in (("q", sheet.quantizers), ("on", sheet.platforms)) if len(values) < 2]
    shown = [[{name: line[name] for name in line if name not in unneeded} for line in part] for part in sections]
    name, key = f"{title(sheet.board)} · overview", f"overview-{sheet.board.key}"
    return [grid(name, key, shown, [str(bits) for bits in widths], notes=_NOTES)] if len(widths) > 1 else []


def _line(entry: Entry, label: str) -> Line:
    return entry.league.access, entry.league.quantizer, label, entry.platform


def _number(row: Row) -> str:
    return percent(row.last) if row.sd is None else f"{percent(row.last)} ± {percent(row.sd)} ({row.n})"


def _cells(sheet: Sheet, line: Line, widths: Sequence[Bits], cells: Mapping[tuple[Line, Bits], str]) -> dict[str, str]:
    access, quantizer, label, platform = line
    named = {"data": access, "q": keys(sheet.quantizers, "q").get(quantizer, ""), "method": label}
    by_bits = {str(bits): cells.get((line, bits), NOT_RUN) for bits in widths}
    return {**named, **by_bits, "on": keys(sheet.platforms, "p").get(platform, "")}


def _full(sheet: Sheet, widths: Sequence[Bits]) -> dict[str, str]:
    known = " or ".join(dict.fromkeys(percent(top1) for top1, _ in sheet.full))
    by_bits = dict.fromkeys(map(str, widths), known)
    return {"data": "", "q": "", "method": "full precision", **by_bits, "on": ""}

"""Which records the numbers of a table's line came from."""

from __future__ import annotations

from collections.abc import Mapping

from bench.plots.sources import Source, Sources
from bench.report.contents import Report
from bench.report.document import Grid
from bench.report.figures import percent
from bench.report.notes import keys
from bench.report.omission import WhyNot
from bench.report.rows import Row, Sheet

_Line = Mapping[str, str]


class Links:
    """From cells of tables to records. A line is known by what its columns say of a row, which may be part of it."""

    def __init__(self, report: Report, sources: Sources) -> None:
        self.sheets, self.programs, self.sources = report.sheets, report.programs, sources
        sheets = report.sheets
        self._rows = {sheet.board: _by_name(sheet) for sheet in sheets}
        self._widths = {board: {bits for bits, _ in rows} for board, rows in self._rows.items()}

    def board_of(self, grid: Grid) -> Sheet | None:
        """The sheet that a grid tells of, which its key ends with; None for a grid of another kind."""
        return next((sheet for sheet in self.sheets if grid.key.endswith(f"-{sheet.board.key}")), None)

    def behind(self, sheet: Sheet, line: _Line, column: str) -> list[Source]:
        """The records behind one cell, or none where the cell is not the one that leads to its line's records.

        In a line about one bit-width, that is the accuracy, else the name; in one about several, each accuracy.
        """
        if "bits" not in line:
            return self._of(sheet, {**line, "bits": column}) if column in self._widths[sheet.board] else []
        return self._of(sheet, line) if column == ("last" if "last" in line else "method") else []

    def foreign(self, dataset: str, line: _Line, column: str) -> list[Source]:
        """The records behind the accuracy in a line that is of no board, but of a data set."""
        if column != "last":
            return []
        return self._program(dataset, line) if "program" in line else self._here(dataset, line)

    def _program(self, dataset: str, line: _Line) -> list[Source]:
        """The runs of the authors' own program that a line is of."""
        rows = [row for sheet in self.programs if sheet.dataset == dataset for row in sheet.rows]
        same = [row for row in rows if all(line.get(name) == value for name, value in _program_names(row))]
        return [source for row in same for source in self.sources.of(row)]

    def _here(self, dataset: str, line: _Line) -> list[Source]:
        """The records behind what a line of published figures says was measured `here`."""
        if "here" not in line:
            return []
        for sheet in self.sheets:
            for _, row in self._rows[sheet.board].get((line["bits"], _label(sheet, line["here"])), []):
                if sheet.dataset == dataset and percent(row.last) == line["last"]:
                    return self.sources.of(row)
        return []

    def unfinished(self, cell: WhyNot) -> list[Source]:
        """The records of cells without a result, where they tell what row they would have been in."""
        return [self.sources.find(cell.entry, seed) for seed in cell.seeds] if cell.entry else []

    def _of(self, sheet: Sheet, line: _Line) -> list[Source]:
        if line.get("method") == "full precision":
            trained = self.sources.maker(sheet.board.init)
            return [trained] if trained else []
        alike = self._rows[sheet.board].get((line["bits"], line.get("method", "")), [])
        rows = [row for names, row in alike if all(line.get(name, value) == value for name, value in names)]
        found = [source for row in rows for source in self.sources.of(row)]
        return [source for source in found if line.get("seed") in (None, str(source.record.cell.seed))]


def _by_name(sheet: Sheet) -> dict[tuple[str, str], list[tuple[list[tuple[str, str]], Row]]]:
    """Rows by bits and label, each with what else tables call it by, by column."""
    quantizers, platforms = keys(sheet.quantizers, "q"), keys(sheet.platforms, "p")
    found: dict[tuple[str, str], list[tuple[list[tuple[str, str]], Row]]] = {}
    for row in sheet.rows:
        league = row.entry.league
        names = [("data", league.access), ("q", quantizers[league.quantizer]), ("on", platforms[row.entry.platform])]
        found.setdefault((str(league.bits), row.label), []).append((names, row))
    return found


def _program_names(row: Row) -> list[tuple[str, str]]:
    board, entry = row.entry.league.board, row.entry
    known = [("model", board.model), ("schedule", board.schedule), ("program", entry.platform)]
    return [("bits", str(entry.league.bits)), ("method", row.label), *known]


def _label(sheet: Sheet, here: str) -> str:
    """A row's label without the schedule that stands before it."""
    return here.removeprefix(f"{sheet.board.schedule} ")

"""What stands on the page, part by part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

from bench.page.compact import compact
from bench.page.details import Details
from bench.page.links import Links
from bench.page.markup import block, text
from bench.page.tables import section
from bench.plots.choice import overviews
from bench.plots.sources import Source, Sources
from bench.report.contents import build
from bench.report.document import Document, Grid, grid
from bench.report.documents import KINDS, documents
from bench.report.omission import WhyNot
from bench.report.rows import Sheet

_RANKING = "accuracy"
_ENDED = ("cell", "seeds", "on", "status", "reason")


class Contents:
    """A report, the records behind it, and the page's parts; records are taken in as parts are made."""

    def __init__(self, results: Path) -> None:
        self.report = build(results)
        self.links = Links(self.report, Sources(results))
        self.details = Details(results, self.report.measured.of)

    def parts(self) -> Iterator[str]:
        """One part a kind of table, the first of them open, then everything that tables leave out."""
        found = sorted(documents(self.report), key=lambda document: list(KINDS).index(document.kind))
        for kind, same in groupby(found, lambda document: document.kind):
            sections = [self._section(document, grid) for document in same for grid in document.grids]
            if sections:
                yield _part(KINDS[kind], sections, opened=kind == _RANKING)
        if self.report.whynot:
            yield _part("Cells without a result, and why", self._why_not(), opened=True)
        for heading, lines in replace(self.report, whynot=()).omissions:
            items = "".join(f"<li>{text(line)}</li>" for line in lines)
            yield _part(heading, [f"<ul>{items}</ul>"], opened=True, kind="left-out")

    def _section(self, document: Document, grid: Grid) -> str:
        sheet = self.links.board_of(grid)
        if sheet is None:
            return section(grid, document.dataset, "", partial(self._foreign, document.dataset))
        plots = self._plots(sheet) if grid.key == f"{_RANKING}-{sheet.board.key}" else ""
        keys = partial(self._behind, sheet)
        return section(grid, document.dataset, sheet.board.schedule, keys, plots)

    def _behind(self, sheet: Sheet, line: dict[str, str], column: str) -> list[str]:
        return self._taken(self.links.behind(sheet, line, column))

    def _foreign(self, dataset: str, line: dict[str, str], column: str) -> list[str]:
        return self._taken(self.links.foreign(dataset, line, column))

    def _taken(self, found: list[Source]) -> list[str]:
        return [self.details.add(source) for source in found]

    def _plots(self, sheet: Sheet) -> str:
        figures = [compact(figure) for figure in overviews(sheet, self.report.measured)]
        return f'<details class="plots"><summary>Plots</summary>{block(figures)}</details>'

    def _why_not(self) -> Iterator[str]:
        for dataset, same in groupby(self.report.whynot, lambda cell: cell.dataset):
            keys = {_told(cell): self._taken(self.links.unfinished(cell)) for cell in same}
            whole = grid(
                f"{dataset} · why not", "why-not", [[dict(zip(_ENDED, cells, strict=True)) for cells in keys]], ()
            )
            yield section(whole, dataset, "", partial(_of_line, keys))


def _told(cell: WhyNot) -> tuple[str, ...]:
    return cell.cell, " ".join(map(str, cell.seeds)), cell.platform, cell.status, cell.reason


def _of_line(keys: Mapping[tuple[str, ...], list[str]], line: dict[str, str], column: str) -> list[str]:
    return keys[tuple(line.values())] if column == "cell" else []


def _part(heading: str, sections: Iterable[str], opened: bool, kind: str = "part") -> str:
    state = " open" if opened else ""
    inner = "\n".join(sections)
    return f'<details class="{kind}"{state}><summary><h2>{text(_capital(heading))}</h2></summary>\n{inner}\n</details>'


def _capital(heading: str) -> str:
    return heading[:1].upper() + heading[1:]

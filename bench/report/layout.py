"""A table's columns and cells as text, the same for terminal, Markdown and LaTeX."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from bench.report.figures import percent, points, seconds, spread
from bench.report.notes import keys
from bench.report.rows import Row, Sheet, wilson

_RIGHT = ("n", "last", "best", "untrained", "gap", "top-5", "cost s")


@dataclass(frozen=True)
class Layout:
    """Column names, their alignment, and lines in sections: the full-precision model, then one per bit-width."""

    columns: list[str]
    sections: list[list[list[str]]]

    @property
    def alignment(self) -> list[str]:
        """`left` or `right` for each column."""
        return ["right" if column in _RIGHT else "left" for column in self.columns]

    @property
    def lines(self) -> list[list[str]]:
        """All lines, without sections."""
        return [line for section in self.sections for line in section]


def lay_out(sheet: Sheet) -> Layout:
    """The layout of a sheet; the quantizer has a column where there is more than one."""
    sections = [[_line(sheet, row) for row in rows] for _, rows in groupby(sheet.rows, lambda r: r.entry.league.bits)]
    whole = [section for section in [_full(sheet), *sections] if section]
    columns = [column for column in whole[0][0] if column != "q" or len(sheet.quantizers) > 1]
    return Layout(columns, [[[line[column] for column in columns] for line in section] for section in whole])


def _line(sheet: Sheet, row: Row) -> dict[str, str]:
    league = row.entry.league
    return {
        "bits": str(league.bits),
        "data": league.access,
        "q": keys(sheet.quantizers, "q")[league.quantizer],
        "method": row.label,
        "n": str(row.n),
        "last": percent(row.last),
        "± sd": spread(row.sd, row.interval),
        "best": percent(row.mean("best")),
        "untrained": percent(row.mean("untrained")),
        "gap": points(row.mean("gap")),
        "top-5": percent(row.mean("top5")),
        "cost s": seconds(row.mean("seconds")),
        "on": keys(sheet.platforms, "p")[row.entry.platform],
    }


def _full(sheet: Sheet) -> list[dict[str, str]]:
    blank = dict.fromkeys(_line(sheet, sheet.rows[0]), "")
    lines, places = [], keys(sheet.platforms, "p")
    for (top1, top5), platforms in sheet.full.items():
        named = "all" if 1 < len(platforms) == len(places) else " ".join(places[platform] for platform in platforms)
        interval = spread(None, wilson(top1, sheet.board.images))
        known = {"bits": "full", "method": "full precision", "last": percent(top1), "± sd": interval, "on": named}
        lines.append({**blank, **known, "top-5": percent(top5)})
    return lines

"""Accuracies of a data set: an overview of methods by bit-widths a board, then a line for each row."""

from __future__ import annotations

from itertools import groupby

from bench.report.contents import Report
from bench.report.document import Document, Grid, grid
from bench.report.effects import Effect, effects, minimal_effect
from bench.report.figures import ABSENT, percent, points, seconds, spread
from bench.report.frame import columns
from bench.report.notes import keys, notes, title
from bench.report.overview import overview
from bench.report.programs import programs
from bench.report.rows import Row, Sheet
from bench.stats.proportion import wilson

_RIGHT = ("n", "last", "best", "untrained", "gap", "MDE", "top-5", "cost s")


def document(report: Report, dataset: str) -> Document:
    """The leaderboard of a data set, and everything that it leaves out."""
    grids = [grid for sheet in report.sheets for grid in (*overview(sheet, report.whynot), ranking(sheet))]
    lists = tuple((heading, tuple(lines)) for heading, lines in report.omissions)
    return Document("accuracy", dataset, (*grids, *programs(report, dataset)), columns(report), lists)


def ranking(sheet: Sheet) -> Grid:
    """The rows of a board in order: the full-precision model, then one section a bit-width."""
    found = effects(sheet)
    by_bits = groupby(sheet.rows, lambda row: row.entry.league.bits)
    sections = [_full(sheet), *([_line(sheet, row, found.get(row.entry)) for row in rows] for _, rows in by_bits)]
    name, key = title(sheet.board), f"accuracy-{sheet.board.key}"
    return grid(name, key, sections, _RIGHT, ("q", "MDE", "against base"), notes(sheet, found))


def _line(sheet: Sheet, row: Row, effect: Effect | None) -> dict[str, str]:
    league = row.entry.league
    return {
        "bits": str(league.bits),
        "data": league.access,
        "q": keys(sheet.quantizers, "q")[league.quantizer] if len(sheet.quantizers) > 1 else "",
        "method": row.label,
        "n": str(row.n),
        "last": percent(row.last),
        "± sd": spread(row.sd, row.interval),
        "best": percent(row.mean("best")),
        "untrained": percent(row.mean("untrained")),
        "gap": points(row.mean("gap")),
        "MDE": percent(minimal_effect(row)),
        "against base": _told(effect),
        "top-5": percent(row.mean("top5")),
        "cost s": seconds(row.mean("seconds")),
        "on": keys(sheet.platforms, "p")[row.entry.platform],
    }


def _told(effect: Effect | None) -> str:
    if effect is None:
        return ABSENT
    difference = effect.difference
    interval = f"[{points(difference.low)}, {points(difference.high)}]"
    return f"{points(difference.estimate)} {interval} p {effect.adjusted:.3f} {effect.call}"


def _full(sheet: Sheet) -> list[dict[str, str]]:
    blank = dict.fromkeys(_line(sheet, sheet.rows[0], None), "")
    lines, places = [], keys(sheet.platforms, "p")
    for (top1, top5), platforms in sheet.full.items():
        named = "all" if 1 < len(platforms) == len(places) else " ".join(places[platform] for platform in platforms)
        interval = spread(None, wilson(top1, sheet.board.images))
        known = {"bits": "full", "method": "full precision", "last": percent(top1), "± sd": interval, "on": named}
        lines.append({**blank, **known, "top-5": percent(top5)})
    return lines

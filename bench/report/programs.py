"""Runs of the authors' own programs: beside the leaderboard, never in it."""

from __future__ import annotations

from itertools import groupby

from bench.report.contents import Report
from bench.report.document import Grid, grid
from bench.report.figures import percent, points, spread
from bench.report.rows import Row

_NOTES = (
    "Top-1 in percent, mean over n seeds, as the authors' programs gave it (records of provenance author-code). Data, "
    "full-precision model and evaluation were not this project's, so that these rows do not rank; they stand by bits "
    "and name.",
)
_RIGHT = ("n", "last", "best", "full precision", "gap")


def programs(report: Report, dataset: str) -> list[Grid]:
    """The runs of a data set as one grid, or nothing where there are none."""
    rows = sorted((row for sheet in report.programs for row in sheet.rows), key=_order)
    by_bits = groupby(rows, lambda row: row.entry.league.bits)
    sections = [[_line(row) for row in same] for _, same in by_bits]
    title = f"{dataset} · runs of the authors' own programs"
    return [grid(title, f"programs-{dataset}", sections, _RIGHT, notes=_NOTES)] if rows else []


def _order(row: Row) -> tuple[object, ...]:
    board = row.entry.league.board
    return row.entry.league.bits, row.label, board.model, board.schedule, row.entry.platform


def _line(row: Row) -> dict[str, str]:
    board = row.entry.league.board
    return {
        "bits": str(row.entry.league.bits),
        "method": row.label,
        "model": board.model,
        "schedule": board.schedule,
        "n": str(row.n),
        "last": percent(row.last),
        "± sd": spread(row.sd, None),
        "best": percent(row.mean("best")),
        "full precision": percent(row.mean("init")),
        "gap": points(row.mean("gap")),
        "program": row.entry.platform,
    }

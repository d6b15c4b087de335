"""Tables as tidy data: one line a row, full numbers, units in the column names."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.report.contents import Report
from bench.report.rows import Row

if TYPE_CHECKING:
    from pandas import DataFrame


def frame(report: Report) -> DataFrame:
    """All rows of a report in order, as a pandas DataFrame; absent numbers are NaN."""
    from pandas import DataFrame

    rows = [row for sheet in report.sheets for row in sheet.rows]
    return DataFrame({name: [value(row) for row in rows] for name, value in _COLUMNS.items()})


def csv(report: Report) -> str:
    """All rows of a report in order, as CSV with numbers at six decimals; a heading alone where there is no row."""
    text: str = frame(report).to_csv(index=False, float_format="%.6f", lineterminator="\n")
    return text


def _hundredfold(share: float | None) -> float:
    return math.nan if share is None else 100 * share


def _bound(row: Row, which: int) -> float:
    return _hundredfold(row.interval[which] if row.interval else None)


_COLUMNS: dict[str, Callable[[Row], Any]] = {
    "dataset": lambda row: row.entry.league.board.dataset,
    "stand_in": lambda row: row.entry.league.board.stand_in,
    "model": lambda row: row.entry.league.board.model,
    "schedule": lambda row: row.entry.league.board.schedule,
    "precision": lambda row: row.entry.league.board.precision,
    "init": lambda row: row.entry.league.board.init,
    "w_bits": lambda row: row.entry.league.bits.w,
    "a_bits": lambda row: row.entry.league.bits.a,
    "data_access": lambda row: row.entry.league.access,
    "quantizer": lambda row: row.entry.league.quantizer,
    "method": lambda row: row.entry.method,
    "options": lambda row: row.entry.options,
    "tutor": lambda row: row.entry.tutor,
    "version": lambda row: row.entry.version,
    "platform": lambda row: row.entry.platform,
    "test_data": lambda row: row.entry.league.board.fingerprint,
    "test_images": lambda row: row.entry.league.board.images,
    "n_seeds": lambda row: row.n,
    "seeds": lambda row: " ".join(str(outcome.seed) for outcome in row.outcomes),
    "last_percent": lambda row: _hundredfold(row.last),
    "last_sd_points": lambda row: _hundredfold(row.sd),
    "last_wilson_low_percent": lambda row: _bound(row, 0),
    "last_wilson_high_percent": lambda row: _bound(row, 1),
    "best_percent": lambda row: _hundredfold(row.mean("best")),
    "untrained_percent": lambda row: _hundredfold(row.mean("untrained")),
    "full_precision_percent": lambda row: _hundredfold(row.mean("init")),
    "gap_points": lambda row: _hundredfold(row.mean("gap")),
    "top5_percent": lambda row: _hundredfold(row.mean("top5")),
    "cost_seconds": lambda row: math.nan if row.mean("seconds") is None else row.mean("seconds"),
}

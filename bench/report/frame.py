"""Tables as tidy data: one line a row, full numbers, units in the column names."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bench.report.contents import Report
from bench.report.document import Document
from bench.report.effects import Effect, effects, minimal_effect
from bench.report.rows import Row

if TYPE_CHECKING:
    from pandas import DataFrame


def columns(report: Report) -> dict[str, list[Any]]:
    """All rows of a report in order, as columns; absent numbers are NaN."""
    rows = [(row, found.get(row.entry)) for sheet in report.sheets for found in [effects(sheet)] for row in sheet.rows]
    plain = {name: [value(row) for row, _ in rows] for name, value in _FIGURES.items()}
    compared = {name: [value(effect) if effect else math.nan for _, effect in rows] for name, value in _EFFECT.items()}
    return identity([row for row, _ in rows]) | plain | compared


def identity(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """What rows are of, as columns."""
    return {name: [value(row) for row in rows] for name, value in _IDENTITY.items()}


def frame(report: Report) -> DataFrame:
    """All rows of a report in order, as a pandas DataFrame; absent numbers are NaN."""
    from pandas import DataFrame

    return DataFrame(columns(report))


def csv(document: Document) -> str:
    """The data of a document as CSV with numbers at six decimals; a heading alone where there is no row."""
    from pandas import DataFrame

    text: str = DataFrame(document.data).to_csv(index=False, float_format="%.6f", lineterminator="\n")
    return text


def number(value: float | None) -> float:
    """A number of a column, NaN for none."""
    return math.nan if value is None else value


def hundredfold(share: float | None) -> float:
    """A share as percent, or a difference of shares in points; NaN for none."""
    return math.nan if share is None else 100 * share


def _bound(row: Row, which: int) -> float:
    return hundredfold(row.interval[which] if row.interval else None)


_IDENTITY: dict[str, Callable[[Row], Any]] = {
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
}

_FIGURES: dict[str, Callable[[Row], Any]] = {
    "last_percent": lambda row: hundredfold(row.last),
    "last_sd_points": lambda row: hundredfold(row.sd),
    "last_wilson_low_percent": lambda row: _bound(row, 0),
    "last_wilson_high_percent": lambda row: _bound(row, 1),
    "mde_points": lambda row: hundredfold(minimal_effect(row)),
    "best_percent": lambda row: hundredfold(row.mean("best")),
    "untrained_percent": lambda row: hundredfold(row.mean("untrained")),
    "full_precision_percent": lambda row: hundredfold(row.mean("init")),
    "gap_points": lambda row: hundredfold(row.mean("gap")),
    "top5_percent": lambda row: hundredfold(row.mean("top5")),
    "cost_seconds": lambda row: number(row.mean("seconds")),
}

_EFFECT: dict[str, Callable[[Effect], Any]] = {
    "base": lambda effect: effect.base,
    "against_base_points": lambda effect: 100 * effect.difference.estimate,
    "against_base_low_points": lambda effect: 100 * effect.difference.low,
    "against_base_high_points": lambda effect: 100 * effect.difference.high,
    "against_base_p": lambda effect: effect.difference.p,
    "against_base_p_adjusted": lambda effect: effect.adjusted,
    "against_base_verdict": lambda effect: effect.call,
}

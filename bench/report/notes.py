"""What stands beneath a table, so that nobody reads more into it than it says."""

from __future__ import annotations

from collections.abc import Mapping

from bench.report.effects import Effect
from bench.report.figures import percent
from bench.report.leagues import Board, Entry
from bench.report.rows import Sheet
from bench.report.text import short
from bench.stats import MINIMUM_SEEDS

STAND_IN = "stand-in data (procedural), not CIFAR"
_SCHEDULES = {
    "paper": "paper: the published schedule",
    "quick": "quick: a shortened schedule (1/25 of the published epochs), not comparable to published numbers",
    "smoke": "smoke: a shortened schedule (2 epochs of 20 steps), not comparable to published numbers",
}


def title(board: Board) -> str:
    """One line that says what a table is about."""
    data = [board.dataset, STAND_IN] if board.stand_in else [board.dataset]
    return " · ".join([*data, board.model, board.schedule, board.precision, f"init {short(board.init)}"])


def keys(values: list[str], letter: str) -> dict[str, str]:
    """Short keys for long values, e.g. `p1` for the first platform."""
    return {value: f"{letter}{number}" for number, value in enumerate(values, 1)}


def notes(sheet: Sheet, found: Mapping[Entry, Effect]) -> list[str]:
    """The notes of one table, one line each; `found` are its comparisons with bases."""
    board = sheet.board
    told = [_figures(sheet), _spreads(sheet), *_compared(found), _order(sheet.quantizers)]
    return [*told, settings(board), _costs(sheet.platforms)]


def _figures(sheet: Sheet) -> str:
    full = " or ".join(dict.fromkeys(percent(top1) for top1, _ in sheet.full)) or "not recorded"
    return (
        "Percent of test images; mean over n seeds. last: top-1 after the last epoch. best: after the best epoch, "
        "which is selection on test data. untrained: quantized, before the first update. "
        f"gap: last - full precision, in points (init {short(sheet.board.init)}: {full})."
    )


def _spreads(sheet: Sheet) -> str:
    minimal = (
        " MDE: minimal detectable effect, the smallest true difference in points that two rows of this spread and n "
        "would show with probability 0.8, tested two-sided at 5 %."
    )
    return (
        "± sd: over seeds that all start from this one init, so it says nothing of other inits. "
        f"n = 1: [Wilson 95 % interval] over {sheet.board.images:,} test images; it speaks of that one trained model, "
        f"not of the method.{minimal if any(row.n > 1 for row in sheet.rows) else ''}"
    )


def _compared(found: Mapping[Entry, Effect]) -> list[str]:
    if not found:
        return []
    return [
        f"against base: last minus that of the method which this one is built on, at its defaults, in points, with "
        f"Welch's 95 % interval; from {MINIMUM_SEEDS} seeds on both sides. p after Benjamini and Hochberg's correction "
        f"over the {len(found)} comparison{'s' if len(found) > 1 else ''} of this table."
    ]


def _order(quantizers: list[str]) -> str:
    named = quantizers[0] if len(quantizers) == 1 else "; ".join(f"{k} = {v}" for v, k in keys(quantizers, "q").items())
    return (
        "Rows stand by last within equal bits, data access and quantizer. The order is no verdict: under five seeds "
        "nothing is called better. data: images the method may see (none: data-free). "
        f"Quantizer: {named}."
    )


def settings(board: Board) -> str:
    """Schedule, arithmetic and test data of a board."""
    other = f"{board.schedule}: the published schedule shortened to so many epochs, not comparable to published numbers"
    schedule = _SCHEDULES.get(board.schedule, other)
    return f"{schedule}. Trained in {board.precision}, evaluated in fp32. Test data {short(board.fingerprint)}."


def _costs(platforms: list[str]) -> str:
    named = "; ".join(f"{key} = {platform}" for platform, key in keys(platforms, "p").items())
    return f"cost s: mean seconds of a cell to draw, learn, evaluate and the rest, as if it ran alone. on: {named}."

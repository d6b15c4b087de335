"""Statistics over the seeds of rows: what their number can show, and each method against the one it is built on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from bench.report.leagues import Entry
from bench.report.rows import Row, Sheet
from bench.stats import MINIMUM_SEEDS
from bench.stats.difference import Difference, welch
from bench.stats.multiplicity import benjamini_hochberg


@dataclass(frozen=True)
class Effect:
    """A row against its base.

    Attributes:
        base: label of the base's row. difference: in `last`, a share. adjusted: p after Benjamini and Hochberg's
            correction over all comparisons of the table.
    """

    base: str
    difference: Difference
    adjusted: float

    @property
    def call(self) -> str:
        """`better`, `worse` or `cannot tell`."""
        return self.difference.called(self.adjusted)


def effects(sheet: Sheet) -> dict[Entry, Effect]:
    """Rows of a table against their bases, where both have seeds enough for a comparison."""
    bases = {_place(row.entry, row.entry.version): row for row in sheet.rows if row.entry.at_defaults}
    pairs = [
        (row, base)
        for row in sheet.rows
        if (base := bases.get(_place(row.entry, row.entry.base_version))) and min(row.n, base.n) >= MINIMUM_SEEDS
    ]
    found = [welch(_lasts(base), _lasts(row)) for row, base in pairs]
    adjusted = benjamini_hochberg([difference.p for difference in found])
    whole = zip(pairs, found, adjusted, strict=True)
    return {row.entry: Effect(base.label, difference, p) for (row, base), difference, p in whole}


def minimal_effect(row: Row) -> float | None:
    """The smallest true difference, a share, that two rows of this spread and number of seeds would show.

    With probability 0.8, tested two-sided at 5 %. None for one seed, which tells no spread.
    """
    return None if row.sd is None else row.sd * _in_deviations(row.n)


@cache
def _in_deviations(n: int) -> float:
    from bench.stats.power import detectable

    return detectable(1.0, n)


def _lasts(row: Row) -> list[float]:
    return [outcome.last for outcome in row.outcomes]


def _place(entry: Entry, version: str) -> tuple[object, ...]:
    return entry.league, entry.platform, version

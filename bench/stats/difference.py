"""The difference between two methods over their seeds, with an interval.

Where accuracies of one test set are given, the interval is about further seeds on those same images; that of
`bench.stats.crossed` is about further images as well.

Sources: Welch 1947, Biometrika 34 (independent seeds); Student 1908, Biometrika 6 (pairs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Literal, TypeAlias

from bench.stats import MINIMUM_SEEDS
from bench.stats.refusals import refuse

Call: TypeAlias = Literal["better", "worse", "cannot tell"]


@dataclass(frozen=True)
class Difference:
    """How far b lies above a.

    Attributes:
        estimate: mean of b - mean of a, in the unit of what was given.
        low, high: ends of the two-sided interval at `level`.
        p: two-sided p of there being no difference.
        n_a, n_b: seeds of each side.
        procedure: `welch`, `paired` or `crossed`.
    """

    estimate: float
    low: float
    high: float
    p: float
    n_a: int
    n_b: int
    procedure: str
    level: float

    def called(self, adjusted: float | None = None) -> Call:
        """What may be said of b: `cannot tell` under `MINIMUM_SEEDS` seeds a side, whatever the p.

        Args:
            adjusted: the p after correction for several comparisons, in place of `p`.
        """
        p = self.p if adjusted is None else adjusted
        if min(self.n_a, self.n_b) < MINIMUM_SEEDS or p >= 1 - self.level:
            return "cannot tell"
        return "better" if self.estimate > 0 else "worse"


def welch(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Difference:
    """b - a for independent seeds whose spreads may differ.

    Raises:
        TooFewSeeds: if one side has fewer than the procedure is trusted with.
    """
    refuse("welch", min(len(a), len(b)))
    parts = [(variance(side) / len(side), len(side) - 1) for side in (a, b)]
    return from_parts("welch", fmean(b) - fmean(a), parts, (len(a), len(b)), level)


def paired(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Difference:
    """b - a seed by seed: `a[i]` and `b[i]` are of one seed, so that both drew from the same random streams.

    Raises:
        TooFewSeeds: if there are fewer pairs than the procedure is trusted with.
        ValueError: if the sides differ in length.
    """
    gains = [new - old for old, new in zip(a, b, strict=True)]
    refuse("paired", len(gains))
    parts = [(variance(gains) / len(gains), len(gains) - 1)]
    return from_parts("paired", fmean(gains), parts, (len(a), len(b)), level)


def from_parts(
    procedure: str, estimate: float, parts: Sequence[tuple[float, float]], seeds: tuple[int, int], level: float
) -> Difference:
    """A difference whose variance is the sum of `parts`, each with its degrees of freedom."""
    from bench.stats.student import bounds, p_value

    low, high = bounds(estimate, parts, level)
    return Difference(estimate, float(low), float(high), float(p_value(estimate, parts)), *seeds, procedure, level)

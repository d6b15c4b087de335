"""How many more seeds it would take for an interval to tell."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import sqrt
from statistics import variance

MOST_MORE = 1000
POWER = 0.8


def more_seeds(
    fixed: Sequence[Sequence[float]], growing: Sequence[Sequence[float]], room: float, level: float
) -> int | None:
    """Fewest further values of every growing sample after which the interval probably leaves out what it should.

    Probably is with probability `POWER`, if the truth is what the samples show now: their spreads, and an estimate
    that lies `room` from the value to be left out.

    Args:
        fixed, growing: samples whose means' sum or difference is the estimate, each of at least two values.
        level: of the two-sided interval.

    Returns:
        The number, or None where `MOST_MORE` are too few.
    """
    from bench.stats.power import distance
    from bench.stats.student import degrees

    still = [(variance(sample), len(sample)) for sample in fixed]
    now = [(variance(sample), len(sample)) for sample in growing]

    def enough(more: int) -> bool:
        sizes = still + [(spread, n + more) for spread, n in now]
        parts = [(spread / n, n - 1) for spread, n in sizes]
        error = sqrt(sum(part for part, _ in parts))
        return room >= distance(float(degrees(parts)), 1 - level, POWER) * error

    numbers = range(1, MOST_MORE + 1)
    index = bisect_left(numbers, True, key=enough)
    return numbers[index] if index < len(numbers) else None

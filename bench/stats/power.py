"""What a number of seeds can show, by the noncentral t distribution.

Two sides of n seeds each with one spread, tested two-sided; only the true direction counts as shown.
Source: Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, chapter 2.
"""

from __future__ import annotations

from bisect import bisect_left
from math import sqrt

from bench.stats import MINIMUM_SEEDS

MOST_SEEDS = 10_000


def detectable(sd: float, n: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest true difference that n seeds a side show with probability `power`, in the unit of `sd`.

    Args:
        sd: standard deviation over seeds of either side.

    Raises:
        ValueError: for fewer than two seeds or a spread below zero.
    """
    if n < 2 or sd < 0:
        raise ValueError(f"{n} seeds of spread {sd}; give at least two seeds and a spread of at least 0")
    return distance(2 * n - 2, alpha, power) * sqrt(2 / n) * sd


def seeds_for(sd: float, effect: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Fewest seeds a side, at least `MINIMUM_SEEDS`, that show a true difference of `effect` with that probability.

    Raises:
        ValueError: if `effect` is not above zero, or more than `MOST_SEEDS` seeds would be needed.
    """
    if effect <= 0:
        raise ValueError(f"an effect of {effect}; give one above 0")
    numbers = range(MINIMUM_SEEDS, MOST_SEEDS + 1)
    index = bisect_left(numbers, True, key=lambda n: detectable(sd, n, alpha, power) <= effect)
    if index == len(numbers):
        raise ValueError(f"an effect of {effect} at a spread of {sd} needs more than {MOST_SEEDS} seeds a side")
    return numbers[index]


def distance(df: float, alpha: float, power: float) -> float:
    """Standard errors that a true difference must lie from zero for a t test to show it with probability `power`."""
    from scipy.special import nctdtrinc, stdtrit

    return float(nctdtrinc(df, 1 - power, stdtrit(df, 1 - alpha / 2)))

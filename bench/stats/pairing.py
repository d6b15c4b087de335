"""Whether comparing runs seed by seed pays, from a study in which both sides are known to be the same method.

A pair is two runs of one seed, and so of the same random streams for initial generator, noise, labels and data order.
On one platform a method gives the same numbers twice, so that the sides of a study differ in something that must not
matter: the number of threads, the kind of device. Pairing narrows the interval where the accuracies of a pair go
together, and widens it where they do not, as it has half the degrees of freedom. It is right either way; deciding by
the runs to be compared themselves would not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh
from statistics import NormalDist, correlation

from bench.stats import MINIMUM_SEEDS
from bench.stats.refusals import TooFewSeeds

_CLOSEST = 1 - 1e-12  # Fisher's transform of 1 is infinite


@dataclass(frozen=True)
class Pairing:
    """What a study says of comparing so many pairs.

    Attributes:
        correlation: of the accuracies within a pair.
        low: its lower bound at the level asked for (Fisher 1921, Metron 1).
        break_even: correlation above which a paired interval is narrower than Welch's.
    """

    correlation: float
    low: float
    break_even: float

    @property
    def pays(self) -> bool:
        """Whether pairs are to be preferred: the correlation is shown to exceed the break-even."""
        return self.low > self.break_even


def pairing(a: Sequence[float], b: Sequence[float], seeds: int, level: float = 0.95) -> Pairing:
    """Judge a study whose runs `a[i]` and `b[i]` are of one seed, for later comparisons of `seeds` pairs.

    Raises:
        TooFewSeeds: if the study has fewer than `MINIMUM_SEEDS` pairs.
        ValueError: if a side has no spread or one pair lacks a half.
    """
    if min(len(a), len(b)) < MINIMUM_SEEDS:
        raise TooFewSeeds(f"a study of {min(len(a), len(b))} pairs says little; give at least {MINIMUM_SEEDS}")
    found = correlation(a, b)
    reach = NormalDist().inv_cdf(level) / sqrt(len(a) - 3)
    transformed = atanh(max(-_CLOSEST, min(found, _CLOSEST)))
    return Pairing(found, tanh(transformed - reach), break_even(seeds, level))


def break_even(seeds: int, level: float = 0.95) -> float:
    """Correlation at which intervals of `seeds` pairs and of two independent sides are equally wide on average."""
    from scipy.special import stdtrit

    upper = (1 + level) / 2
    return 1 - float(stdtrit(2 * seeds - 2, upper) / stdtrit(seeds - 1, upper)) ** 2

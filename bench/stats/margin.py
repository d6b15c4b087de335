"""Verdicts against a margin that was declared beforehand: not worse by more than it, and equal within it.

Both go by the ends of the two-sided interval at `level`. Either end alone is nominally wrong in half of 1 - level of
all cases; skewed seeds of unequal spread can use up the other half, as simulated nulls show (docs/statistics.md).

Sources: Piaggio et al. 2012, JAMA 308(24) (non-inferiority); Schuirmann 1987, Journal of Pharmacokinetics and
Biopharmaceutics 15(6) (two one-sided tests).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bench.stats import MINIMUM_SEEDS
from bench.stats.difference import Difference, paired, welch
from bench.stats.planning import more_seeds

MOST_LOOKS = 2

Judgement: TypeAlias = Literal["pass", "fail", "cannot tell"]


@dataclass(frozen=True)
class Verdict:
    """A judgement and what it rests on.

    Attributes:
        verdict: `pass`, `fail`, or `cannot tell`.
        difference: second minus first, whose interval decided; None under `MINIMUM_SEEDS` seeds a side.
        more_seeds: where nobody can tell, how many more seeds of the second side alone would probably do; None where
            no number would, as the first has too few.
        more_of_each: how many more of each side would; None where no number within reason would.
    """

    verdict: Judgement
    difference: Difference | None = None
    more_seeds: int | None = None
    more_of_each: int | None = None


def noninferior(
    reference: Sequence[float],
    new: Sequence[float],
    margin: float,
    level: float = 0.95,
    looks: int = 1,
    pairs: bool = False,
) -> Verdict:
    """Whether `new` is no worse than `reference` by `margin` or more.

    pass: the interval of new - reference lies above -margin. fail: it does not, and lies below 0.

    Args:
        looks: how often the verdict will be asked for at most while seeds are added, this time included, said
            beforehand. The error rate is split evenly between them, so that by Bonferroni's inequality that of all
            together is at most 1 - level, if the numbers of seeds are fixed beforehand too.
        pairs: whether `reference[i]` and `new[i]` are of one seed and are compared as pairs; see `bench.stats.pairing`.

    Raises:
        ValueError: if `margin` is not above zero, `looks` is not in [1, MOST_LOOKS], or pairs lack one half.
    """
    if margin <= 0 or not 1 <= looks <= MOST_LOOKS:
        raise ValueError(f"margin {margin}, {looks} looks; give a margin above 0 and 1 to {MOST_LOOKS} looks")
    if min(len(reference), len(new)) < MINIMUM_SEEDS:
        return _too_few(reference, new)
    found = (paired if pairs else welch)(reference, new, 1 - (1 - level) / looks)
    if found.low > -margin:
        return Verdict("pass", found)
    if found.high < 0:
        return Verdict("fail", found)
    return _cannot_tell(reference, new, found, max(found.estimate + margin, -found.estimate), pairs)


def equivalent(
    a: Sequence[float], b: Sequence[float], margin: float, level: float = 0.95, pairs: bool = False
) -> Verdict:
    """Whether a and b differ by less than `margin` either way, by two one-sided tests.

    pass: the interval of b - a lies within the margin. fail: it lies outside.

    Args:
        pairs: whether `a[i]` and `b[i]` are of one seed and are compared as pairs; see `bench.stats.pairing`.

    Raises:
        ValueError: if `margin` is not above zero, or pairs lack one half.
    """
    if margin <= 0:
        raise ValueError(f"margin {margin}; give one above 0")
    if min(len(a), len(b)) < MINIMUM_SEEDS:
        return _too_few(a, b)
    found = (paired if pairs else welch)(a, b, level)
    if -margin < found.low and found.high < margin:
        return Verdict("pass", found)
    if found.low > margin or found.high < -margin:
        return Verdict("fail", found)
    return _cannot_tell(a, b, found, abs(margin - abs(found.estimate)), pairs)


def _too_few(first: Sequence[float], second: Sequence[float]) -> Verdict:
    alone = MINIMUM_SEEDS - len(second) if len(first) >= MINIMUM_SEEDS else None
    return Verdict("cannot tell", None, alone, MINIMUM_SEEDS - min(len(first), len(second)))


def _cannot_tell(
    first: Sequence[float], second: Sequence[float], found: Difference, room: float, pairs: bool
) -> Verdict:
    """`room`: how far the estimate is from the nearer of what it would have to be told from."""
    if pairs:
        gains = [new - old for old, new in zip(first, second, strict=True)]
        return Verdict("cannot tell", found, None, more_seeds([], [gains], room, found.level))
    alone = more_seeds([first], [second], room, found.level)
    return Verdict("cannot tell", found, alone, more_seeds([], [first, second], room, found.level))

"""Contrasts: what the runs of a pair say of the difference between its sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import variance
from typing import TYPE_CHECKING

from bench.compare.group import Group
from bench.compare.pairs import Pair
from bench.errors import RecordInvalid
from bench.stats import MINIMUM_SEEDS
from bench.stats.crossed import Components
from bench.stats.difference import Difference, welch
from bench.stats.margin import Verdict, equivalent
from bench.stats.refusals import TooFewSeeds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Models:
    """Two trained models on the same test images, which says nothing of the methods that trained them.

    Attributes:
        gained, lost: images that only b's, and only a's, model has right. p: exact, two-sided.
    """

    gained: int
    lost: int
    p: float


@dataclass(frozen=True)
class Contrast:
    """One line of a comparison; shares in [0, 1], b - a.

    Attributes:
        difference: over seeds; None where there are too few for any interval.
        crossed: over seeds and test images together; None there too, or where records do not say which are right.
        adjusted: its p among all lines that can be called. detectable: the difference that so many seeds would show.
        models: where both sides have a single seed.
        equal: whether both are within a margin of each other, where one was given.
        noise_a, noise_b: what makes one trained model's accuracy differ from another's; None for a single seed.
    """

    pair: Pair
    difference: Difference | None
    adjusted: float | None
    detectable: float | None
    models: Models | None
    crossed: Difference | None
    equal: Verdict | None
    noise_a: Components | None
    noise_b: Components | None

    @property
    def estimate(self) -> float:
        """Mean of b less mean of a."""
        return self.pair.b.mean - self.pair.a.mean

    @property
    def call(self) -> str:
        """What may be said of b: `better`, `worse`, or why neither."""
        if not self.pair.same_league:
            return "another league"
        if self.pair.shared:
            return f"{self.pair.shared} runs in both"
        if self.difference is None or self.adjusted is None:
            return "too few seeds"
        return self.difference.called(self.adjusted)


def contrasts(pairs: Sequence[Pair], level: float = 0.95, margin: float | None = None) -> list[Contrast]:
    """The contrasts of some pairs, with p adjusted (Benjamini-Hochberg) over all of them that can be called.

    Args:
        margin: a share in (0, 1); whether both sides are within it of each other is asked of each pair apart.
    """
    from bench.stats.multiplicity import benjamini_hochberg

    differences = [_difference(pair, level) for pair in pairs]
    tried = {i: found.p for i, found in enumerate(differences) if found and _counts(pairs[i])}
    adjusted = dict(zip(tried, benjamini_hochberg(list(tried.values())), strict=True))
    return [
        Contrast(
            pair=pair,
            difference=found,
            adjusted=adjusted.get(i),
            detectable=_detectable(pair),
            models=_models(pair),
            crossed=_crossed(pair, level),
            equal=equivalent(pair.a.lasts, pair.b.lasts, margin, level) if margin and not pair.shared else None,
            noise_a=_noise(pair.a),
            noise_b=_noise(pair.b),
        )
        for i, (pair, found) in enumerate(zip(pairs, differences, strict=True))
    ]


def _difference(pair: Pair, level: float) -> Difference | None:
    try:
        return welch(pair.a.lasts, pair.b.lasts, level)
    except TooFewSeeds:
        return None


def _counts(pair: Pair) -> bool:
    """Whether a pair can be called better or worse."""
    return pair.same_league and not pair.shared and min(pair.a.n, pair.b.n) >= MINIMUM_SEEDS


def _detectable(pair: Pair) -> float | None:
    """The difference that as many seeds a side as the smaller one has would show, at both sides' mean variance."""
    from bench.stats.power import detectable

    if min(pair.a.n, pair.b.n) < 2:
        return None
    spread = sqrt((variance(pair.a.lasts) + variance(pair.b.lasts)) / 2)
    return detectable(spread, min(pair.a.n, pair.b.n))


def _crossed(pair: Pair, level: float) -> Difference | None:
    import numpy as np

    from bench.stats.crossed import crossed

    a, b = _right(pair.a), _right(pair.b)
    if not (a and b) or not _same_images(pair):
        return None
    try:
        return crossed(np.stack(a), np.stack(b), level)
    except TooFewSeeds:
        return None


def _noise(group: Group) -> Components | None:
    import numpy as np

    from bench.stats.crossed import components

    right = _right(group)
    return components(np.stack(right)) if len(right) > 1 else None


def _models(pair: Pair) -> Models | None:
    from bench.stats.bits import discordant
    from bench.stats.mcnemar import mcnemar

    a, b = _right(pair.a), _right(pair.b)
    if pair.a.n > 1 or pair.b.n > 1 or not (a and b) or not _same_images(pair):
        return None
    gained, lost = discordant(a[0], b[0])
    return Models(gained, lost, mcnemar(gained, lost))


def _same_images(pair: Pair) -> bool:
    return pair.a.league.board.fingerprint == pair.b.league.board.fingerprint


def _right(group: Group) -> list[NDArray[np.bool_]]:
    """Which test images each seed's model has right; nothing where a record does not say."""
    from bench.stats.bits import unpacked

    try:
        return [unpacked(run.record.result.get("correct", ""), run.record.data["images"]) for run in group.runs]
    except RecordInvalid:
        return []

"""Seeds and images together: every seed is tested on every image, and both are samples of more.

`x[s, i]`, whether seed s has image i right, is taken as mean + seed's part + image's part + what only both together
decide, the last with the chance of a right guess in it. Sums of squares give each part's variance without assuming how
it is distributed.

Sources: Clark 1973, Journal of Verbal Learning and Verbal Behavior 12(4) (both random at once, with Satterthwaite's
degrees of freedom); Searle, Casella and McCulloch 1992, Variance Components, chapter 4 (two-way crossed).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, sqrt
from typing import TYPE_CHECKING

from bench.stats.difference import Difference, from_parts
from bench.stats.refusals import refuse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Components:
    """Standard deviations of the accuracy of one trained model by source, shares; one below zero counts as zero.

    Attributes:
        seed_sd: of seeds, had the test no end of images.
        image_sd: of which images were drawn for the test, the same for all seeds.
        mixed_sd: of which seed has which image right.
    """

    seed_sd: float
    image_sd: float
    mixed_sd: float

    @property
    def observed_sd(self) -> float:
        """Of seeds tested on the same images: the spread that a table shows, which has no part of `image_sd`."""
        return hypot(self.seed_sd, self.mixed_sd)

    @property
    def total_sd(self) -> float:
        """Of another seed on other images."""
        return hypot(self.seed_sd, self.image_sd, self.mixed_sd)


def components(correct: NDArray[np.bool_]) -> Components:
    """The noises of one method's accuracy, from which images each of its seeds has right, shape (seeds, images).

    Raises:
        ValueError: for fewer than two seeds or images.
    """
    seeds, images = correct.shape
    if min(seeds, images) < 2:
        raise ValueError(f"{seeds} seeds on {images} images; give at least two of each")
    mixed = _mixed(correct)
    seed = float(correct.mean(axis=1).var(ddof=1)) - mixed / images
    image = float(correct.mean(axis=0).var(ddof=1)) - mixed / seeds
    return Components(sqrt(max(seed, 0.0)), sqrt(max(image, 0.0) / images), sqrt(mixed / images))


def crossed(a: NDArray[np.bool_], b: NDArray[np.bool_], level: float = 0.95) -> Difference:
    """b - a with an interval about further seeds and further images, shapes (seeds, images), of the same images.

    Welch's, with the variance added that stems from some images suiting one method better than the other. Where none
    do, it is Welch's.

    Raises:
        TooFewSeeds: if one side has fewer than the procedure is trusted with.
        ValueError: if the sides were not tested on the same images.
    """
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"sides tested on {a.shape[1]} and {b.shape[1]} images; give two on the same")
    refuse("crossed", min(len(a), len(b)))
    images = a.shape[1]
    parts = [(float(side.mean(axis=1).var(ddof=1)) / len(side), len(side) - 1) for side in (a, b)]
    uneven = float((b.mean(axis=0) - a.mean(axis=0)).var(ddof=1))
    uneven -= sum(_mixed(side) / len(side) for side in (a, b))
    parts.append((max(uneven, 0.0) / images, images - 1))
    return from_parts("crossed", float(b.mean() - a.mean()), parts, (len(a), len(b)), level)


def _mixed(correct: NDArray[np.bool_]) -> float:
    """Variance of what remains of each value without its seed's and its image's mean."""
    seeds, images = correct.shape
    share = float(correct.mean())
    rest = share * (1 - share) - float(correct.mean(axis=1).var()) - float(correct.mean(axis=0).var())
    return max(rest, 0.0) * seeds * images / ((seeds - 1) * (images - 1))

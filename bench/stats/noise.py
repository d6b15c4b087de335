"""The two noises of an accuracy apart: which seed trained, and which images were drawn for the test.

All seeds are tested on the same images. What makes these images easier or harder than others moves all seeds alike, so
that it is no part of the spread over seeds, and subtracting binomial noise from that spread would be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the accuracy of one trained model, shares.

    Attributes:
        seed_sd: over seeds, on these images.
        image_sd: over draws of as many images, for one trained model (binomial).
        total_sd: of another seed on other images. From accuracies alone it is an upper bound: what seed and images
            decide together (which seed gets which image right) is in both. `components` takes it apart.
    """

    total_sd: float
    image_sd: float
    seed_sd: float


def noise(shares: Sequence[float], images: int) -> Noise:
    """Both noises from the accuracies of several seeds on the same test images.

    Raises:
        ValueError: for fewer than two seeds or no images.
    """
    if len(shares) < 2 or images < 1:
        raise ValueError(f"{len(shares)} seeds on {images} images; give at least two seeds and one image")
    mean, seed_sd = fmean(shares), stdev(shares)
    image_sd = sqrt(mean * (1 - mean) / images)
    return Noise(sqrt(seed_sd**2 + image_sd**2), image_sd, seed_sd)

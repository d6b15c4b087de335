"""Wilson's interval of the accuracy of one trained model."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist


def wilson(share: float, images: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of the accuracy on further images of the same kind, shares in [0, 1]; it says nothing of other seeds.

    Source: Wilson 1927, Journal of the American Statistical Association 22.

    Args:
        share: accuracy counted over `images` test images.

    Raises:
        ValueError: if the share is none or there are no images.
    """
    if not 0 <= share <= 1 or images < 1:
        raise ValueError(f"a share of {share} of {images} images; give one in [0, 1] of at least one image")
    z = NormalDist().inv_cdf((1 + level) / 2)
    weight = z * z / images
    centre = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * sqrt(share * (1 - share) / images + weight / images / 4)
    return max(0.0, centre - half), min(1.0, centre + half)

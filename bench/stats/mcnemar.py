"""McNemar's exact test of two trained models on the same images."""

from __future__ import annotations


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p of both being right equally often; about these two trained models, not about their methods.

    Source: McNemar 1947, Psychometrika 12; exact by the binomial distribution.

    Args:
        gained: images that only the second model has right, lost: that only the first has.

    Raises:
        ValueError: for a negative count.
    """
    from scipy.special import bdtr

    if min(gained, lost) < 0:
        raise ValueError(f"counts of images {gained} and {lost}; give none below 0")
    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))

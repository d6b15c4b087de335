"""Benjamini and Hochberg's correction for the comparisons of one table."""

from __future__ import annotations

from collections.abc import Sequence


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p in the order given: calling those below q keeps the expected share of false calls at or below q.

    Source: Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57(1).

    Raises:
        ValueError: for a p outside [0, 1].
    """
    if not all(0 <= value <= 1 for value in p):
        raise ValueError(f"p-values {list(p)}; give ones in [0, 1]")
    adjusted = [1.0] * len(p)
    least = 1.0
    falling = sorted(range(len(p)), key=lambda index: p[index], reverse=True)
    for rank, index in zip(range(len(p), 0, -1), falling, strict=True):
        least = min(least, p[index] * len(p) / rank)
        adjusted[index] = least
    return adjusted

"""Student's t for estimates whose variance has several parts; arrays broadcast, one element a comparison.

A part is (variance of the estimate, degrees of freedom of that variance's own estimate).

Sources: Welch 1947, Biometrika 34; Satterthwaite 1946, Biometrics Bulletin 2(6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Part: TypeAlias = tuple[ArrayLike, float]


def bounds(estimate: ArrayLike, parts: Sequence[Part], level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high end of the two-sided interval; both are the estimate itself where its variance is zero."""
    from scipy.special import stdtrit

    middle = np.asarray(estimate, dtype=np.float64)
    half = stdtrit(degrees(parts), (1 + level) / 2) * np.sqrt(_variance(parts))
    return middle - half, middle + half


def p_value(estimate: ArrayLike, parts: Sequence[Part]) -> NDArray[np.float64]:
    """Two-sided p of the estimate being zero; where its variance is zero, 1 if it is zero and else 0."""
    from scipy.special import stdtr

    distance, deviation = np.abs(np.asarray(estimate, dtype=np.float64)), np.sqrt(_variance(parts))
    certain = np.where(distance == 0, 0.0, np.inf)
    ratio = np.divide(distance, deviation, out=certain, where=deviation > 0)
    return np.asarray(2 * stdtr(degrees(parts), -ratio))


def degrees(parts: Sequence[Part]) -> NDArray[np.float64]:
    """Satterthwaite's degrees of freedom of a sum of variances; those of the first part where all are zero."""
    total = _variance(parts)
    spread = sum((np.square(np.asarray(variance, dtype=np.float64)) / df for variance, df in parts), np.float64(0))
    fallback = np.full(np.shape(total), float(parts[0][1]))
    return np.divide(np.square(total), spread, out=fallback, where=spread > 0)


def _variance(parts: Sequence[Part]) -> NDArray[np.float64]:
    return np.asarray(sum((np.asarray(variance, dtype=np.float64) for variance, _ in parts), np.float64(0)))

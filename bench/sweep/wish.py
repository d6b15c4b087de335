"""What a person wants of a suite: filters of its points, and values in place of the suite's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import product

from bench.spec import FULL, Bits
from bench.suite import AUTO, Point, Suite

WIDTHS = (*(Bits(w, a) for w, a in product(range(2, 9), repeat=2)), FULL)
"""Every bit-width that a cell may have."""


@dataclass(frozen=True)
class Wish:
    """What the command line changes in a suite.

    Attributes:
        method, dataset: globs. bits: globs of widths, of which one must match; none matches all.
        seeds: seeds 0 .. seeds-1 in place of the suite's. seed: globs of those to keep; none keeps all.
        schedule, precision: in place of the suite's.
    """

    method: str = "*"
    dataset: str = "*"
    bits: tuple[str, ...] = ()
    seeds: int | None = None
    schedule: str | None = None
    precision: str | None = None
    seed: tuple[str, ...] = ()

    def covers(self, point: Point) -> bool:
        """Whether the filters leave a point."""
        named = fnmatchcase(point.method, self.method) and fnmatchcase(point.dataset, self.dataset)
        return named and _any(str(point.bits), self.bits) and _any(str(point.seed), self.seed)


def wished(suite: Suite, wish: Wish, device: str) -> Iterator[Point]:
    """The points of a suite that a wish leaves, where `device` settles the schedule `auto`."""
    default = "quick" if device == "cuda" else "smoke"
    axes = dict(suite.axes)
    axes |= {"seed": list(range(wish.seeds))} if wish.seeds else {}
    axes |= {"schedule": [wish.schedule]} if wish.schedule else {}
    axes |= {"precision": [wish.precision]} if wish.precision else {}
    axes["schedule"] = list(dict.fromkeys(default if name == AUTO else name for name in axes["schedule"]))
    return filter(wish.covers, replace(suite, axes=axes).points())


def bits_patterns(text: str) -> tuple[str, ...]:
    """Read widths and globs of widths, such as `W4A4,3` or `W*A4 W[34]A*`. `W[34]*` matches W32A32 too.

    Raises:
        ValueError: for what is no width, and for a glob that no width matches.
    """
    return tuple(_bits_pattern(part) for part in _parts(text))


def seed_patterns(text: str) -> tuple[str, ...]:
    """Read seeds and globs of seeds, such as `0,3` or `[0-2]`.

    Raises:
        ValueError: for anything else.
    """
    return tuple(_seed_pattern(part) for part in _parts(text))


def _bits_pattern(text: str) -> str:
    if not _is_glob(text):
        return str(Bits.parse(text))
    pattern = text.upper()
    if not any(fnmatchcase(str(bits), pattern) for bits in WIDTHS):
        raise ValueError(f"bits '{text}' match no width from W2A2 to W8A8; write e.g. W4A4, 4, 'W*A4' or 'W[34]A*'")
    return pattern


def _seed_pattern(text: str) -> str:
    if re.fullmatch(r"\d+", text, re.ASCII):
        return str(int(text))
    if not _is_glob(text) or not re.fullmatch(r"(?:[\d*?]|\[!?[\d-]+\])+", text, re.ASCII):
        raise ValueError(f"seed '{text}' is neither a whole number from 0 nor a pattern such as '[0-2]'")
    return text


def _is_glob(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _parts(text: str) -> list[str]:
    """What commas or spaces separate."""
    return text.replace(",", " ").split()


def _any(text: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)

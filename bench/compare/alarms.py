"""How often a check would give a false alarm: seeds of one method split at random and set against each other (A/A)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb

from bench.compare.group import Group
from bench.compare.judgement import LEVEL
from bench.report.text import narrow, short
from bench.stats import MINIMUM_SEEDS
from bench.stats.margin import MOST_LOOKS, noninferior

FEWEST = 2 * MINIMUM_SEEDS
"""Seeds that a split into two halves needs."""


@dataclass(frozen=True)
class Alarms:
    """What became of the splits of one group's seeds.

    Attributes:
        n: seeds. margin: a share. splits: how many were tried, each once with either half as the new one.
        every: whether those are all that there are. fails, passes: how many ended so.
    """

    where: str
    n: int
    margin: float
    splits: int
    every: bool
    fails: int
    passes: int

    def __str__(self) -> str:
        open_ones = self.splits - self.fails - self.passes
        counts = {"fail, each a false alarm": self.fails, "pass": self.passes, "cannot tell": open_ones}
        told = ", ".join(f"{count / self.splits:.1%} {word}" for word, count in counts.items())
        splits = f"{'all' if self.every else 'random'} {self.splits} splits"
        return f"{self.where}, {self.n} seeds, margin {100 * self.margin:g}: {splits}: {told}"


def false_alarms(group: Group, margin: float, rounds: int, seed: int = 0) -> Alarms | None:
    """Check halves of a group's seeds against each other as two methods would be, with both looks; None for too few.

    Args:
        rounds: splits to try at most. seed: of the splits.
    """
    if group.n < FEWEST:
        return None
    lasts, half = group.lasts, group.n // 2
    there_are = comb(group.n, half)
    every = there_are <= rounds
    chosen = list(islice(combinations(range(group.n), half), rounds)) if every else _some(group.n, half, rounds, seed)
    random.Random(seed).shuffle(chosen)
    ends = Counter(_end(lasts, new, margin, seed + i) for i, new in enumerate(chosen))
    return Alarms(where(group), group.n, margin, len(chosen), every, ends["fail"], ends["pass"])


def where(group: Group) -> str:
    """A group's league, bits and method, for people."""
    board = group.league.board
    place = f"{board.dataset} {board.model} {board.schedule} {board.precision} init {short(board.init)}"
    return narrow(f"{place} {group.league.bits} {group.name}")


def _some(n: int, half: int, rounds: int, seed: int) -> list[tuple[int, ...]]:
    draw = random.Random(seed)
    return [tuple(draw.sample(range(n), half)) for _ in range(rounds)]


def _end(lasts: Sequence[float], new: Sequence[int], margin: float, seed: int) -> str:
    """How the check of one split ends: a first look at the fewest seeds, and a second at all where it cannot tell."""
    draw = random.Random(seed)
    b = [lasts[i] for i in draw.sample(new, len(new))]
    rest = [i for i in range(len(lasts)) if i not in new]
    a = [lasts[i] for i in draw.sample(rest, len(new))]
    for count in dict.fromkeys([MINIMUM_SEEDS, len(b)]):
        verdict = noninferior(a[:count], b[:count], margin, LEVEL, MOST_LOOKS).verdict
        if verdict != "cannot tell":
            break
    return verdict

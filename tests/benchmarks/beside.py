"""Ratios of a benchmark's seconds to those of what it takes turns with.

Machines are shared, and no two days alike: seconds of one run say little beside those of another. So each benchmark
takes turns with something that does comparable work at the same moment, and what is stored and compared is the ratio
of the two in every round. Setting: BENCH_ROUNDS, of every benchmark, instead of its own number.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from pytest_benchmark.fixture import BenchmarkFixture

Work = Callable[[], object]

FEWEST = 5
"""Rounds from which on a ratio may be called changed."""


@dataclass(frozen=True)
class Ratio:
    """A benchmark's seconds by those of what it is beside: quartiles over rounds."""

    low: float
    median: float
    high: float
    rounds: int

    @classmethod
    def of(cls, found: Sequence[float]) -> Ratio:
        low, median, high = (float(each) for each in np.quantile(found, (0.25, 0.5, 0.75)))
        return cls(low, median, high, len(found))

    def __str__(self) -> str:
        if self.rounds == 1:
            return f"{self.median:.3g} (one round)"
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"

    def since(self, before: Ratio | None) -> str:
        """A stored ratio, and a word where the middle halves of both, of enough rounds, are apart."""
        if before is None:
            return "nothing stored"
        if min(self.rounds, before.rounds) < FEWEST:
            return f"stored {before}, too few rounds to compare"
        word = ", SLOWER" if self.low > before.high else ", faster" if self.high < before.low else ""
        return f"stored {before}{word}"


Ratios = dict[str, dict[str, Ratio]]
"""By full name of the benchmark, and by what it is beside."""


class Beside:
    """The fixture `beside`: times a benchmark and tells its ratios."""

    def __init__(self, benchmark: BenchmarkFixture, found: Ratios) -> None:
        self.benchmark, self.found = benchmark, found.setdefault(benchmark.fullname, {})

    def in_turn(
        self, own: Work, others: Mapping[str, Work], *, rounds: int, warmup: int = 0, setup: Work | None = None
    ) -> None:
        """Time all `others` and `own`, one after the other in every round.

        Args:
            others: by what they are. setup: called before `own` in every round, untimed.
        """
        seconds: dict[str, list[float]] = {name: [] for name in others}

        def turns() -> None:
            for name, other in others.items():
                began = time.perf_counter()
                finish(other)
                seconds[name].append(time.perf_counter() - began)
            if setup:
                setup()

        rounds = int(os.environ.get("BENCH_ROUNDS", rounds))
        self.benchmark.pedantic(finish, (own,), setup=turns, rounds=rounds, warmup_rounds=warmup)
        for name, taken in seconds.items():
            pairs = zip(self.benchmark.stats.stats.data, taken[warmup:], strict=True)
            self.ratio(name, [mine / other for mine, other in pairs])
        medians = {name: float(np.median(taken[warmup:])) for name, taken in seconds.items()}
        self.benchmark.extra_info["seconds"] = medians

    def ratio(self, name: str, found: Sequence[float]) -> None:
        """Tell the ratios, one a round, to what is called `name`."""
        self.found[name] = Ratio.of(found)
        self.benchmark.extra_info["ratios"] = {name: asdict(ratio) for name, ratio in self.found.items()}


def finish(work: Work) -> None:
    """Do work, and wait for the GPU where one is in use."""
    work()
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()

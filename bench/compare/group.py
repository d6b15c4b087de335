"""Groups: the seeds of one method in one league, each once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import fmean

from bench.compare.runs import Run
from bench.report.leagues import Entry, League


@dataclass(frozen=True)
class Group:
    """One method with its options in one league, and its runs by seed.

    A seed that ran on several platforms counts once, on the first by name: it is one draw of the same random streams.
    """

    entry: Entry
    runs: tuple[Run, ...]

    @property
    def league(self) -> League:
        return self.entry.league

    @property
    def label(self) -> str:
        """The method with the options that are not its defaults, marked where it is a reading of its paper."""
        return self.entry.label

    @property
    def name(self) -> str:
        """The same as a person types it."""
        return self.runs[0].name

    @property
    def n(self) -> int:
        return len(self.runs)

    @property
    def lasts(self) -> list[float]:
        """Top-1 after the last epoch of each seed, shares in [0, 1]."""
        return [run.last for run in self.runs]

    @property
    def mean(self) -> float:
        return fmean(self.lasts)

    @property
    def results(self) -> set[tuple[str, str]]:
        """Cell id and digest of each result."""
        return {(run.record.id, run.digest) for run in self.runs}


def grouped(runs: Iterable[Run]) -> list[Group]:
    """The groups of some runs, ordered as tables are, then by label and version."""
    found: dict[Entry, dict[int, Run]] = {}
    for run in sorted(runs, key=lambda run: run.record.platform):
        found.setdefault(replace(run.entry, platform=""), {}).setdefault(run.seed, run)
    groups = [Group(entry, tuple(seeds[seed] for seed in sorted(seeds))) for entry, seeds in found.items()]
    return sorted(groups, key=lambda g: (*g.league.order, g.label, g.entry.version, g.entry.options, g.entry.tutor))

"""Rows: the seeds of one entry with their mean and spread, and the tables that rows stand in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev

from bench.report.leagues import Board, Entry, League
from bench.report.outcome import Outcome
from bench.stats.proportion import wilson


@dataclass(frozen=True)
class Row:
    """One line of a table: an entry and its seeds, by seed."""

    entry: Entry
    label: str
    outcomes: tuple[Outcome, ...]

    @property
    def n(self) -> int:
        """Number of seeds."""
        return len(self.outcomes)

    @property
    def models(self) -> list[str]:
        """sha256 of the seeds' students."""
        return [outcome.weights for outcome in self.outcomes]

    def mean(self, name: str) -> float | None:
        """Mean over seeds of an attribute of Outcome; None where a seed lacks it."""
        values = [getattr(outcome, name) for outcome in self.outcomes]
        return None if None in values else fmean(values)

    def spent(self, name: str) -> float | None:
        """Mean over seeds of an attribute of Spent; None where a seed lacks it."""
        values = [getattr(outcome.spent, name) for outcome in self.outcomes]
        return None if None in values else fmean(values)

    @cached_property
    def last(self) -> float:
        """Mean of `last`, a share: what rows rank by."""
        return fmean(outcome.last for outcome in self.outcomes)

    @cached_property
    def sd(self) -> float | None:
        """Sample standard deviation of `last` over seeds, a share; None for one seed."""
        return stdev(outcome.last for outcome in self.outcomes) if self.n > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson 95 % interval of one trained model's `last`, shares; None for several seeds."""
        return wilson(self.last, self.entry.league.board.images) if self.n == 1 else None


@dataclass(frozen=True)
class Sheet:
    """A board and its rows in order."""

    board: Board
    rows: tuple[Row, ...]

    @property
    def dataset(self) -> str:
        """The board's data set."""
        return self.board.dataset

    @cached_property
    def platforms(self) -> list[str]:
        """Platforms that rows ran on, sorted."""
        return sorted({row.entry.platform for row in self.rows})

    @cached_property
    def quantizers(self) -> list[str]:
        """Quantizer classes of the rows, sorted."""
        return sorted({row.entry.league.quantizer for row in self.rows})

    @cached_property
    def full(self) -> dict[tuple[float, float | None], list[str]]:
        """The full-precision model's (top-1, top-5) as the cells measured it, with the platforms that did."""
        found: dict[tuple[float, float | None], set[str]] = {}
        for row in self.rows:
            for outcome in row.outcomes:
                if outcome.init is not None:
                    found.setdefault((outcome.init, outcome.init_top5), set()).add(row.entry.platform)
        return {key: sorted(found[key]) for key in sorted(found, key=str)}


def sheets(outcomes: Mapping[Entry, Sequence[Outcome]]) -> tuple[Sheet, ...]:
    """Tables in order, each with its rows in order."""
    boards: dict[Board, list[Entry]] = {}
    for entry in outcomes:
        boards.setdefault(entry.league.board, []).append(entry)
    ordered = sorted(boards, key=lambda board: board.order)
    return tuple(Sheet(board, _rows(boards[board], outcomes)) for board in ordered)


def _rows(entries: Sequence[Entry], outcomes: Mapping[Entry, Sequence[Outcome]]) -> tuple[Row, ...]:
    labels = _labels(entries)
    rows = [Row(entry, labels[entry], _by_seed(outcomes[entry])) for entry in entries]
    return tuple(sorted(rows, key=lambda row: (*row.entry.league.order, -row.last, row.label, row.entry.platform)))


def _labels(entries: Iterable[Entry]) -> dict[Entry, str]:
    """The short label of each entry, with as much more as tells it from others of its league and platform."""
    alike: dict[tuple[League, str, str], list[Entry]] = {}
    for entry in entries:
        alike.setdefault((entry.league, entry.platform, entry.label), []).append(entry)
    return {entry: _label(entry, same) for same in alike.values() for entry in same}


def _label(entry: Entry, alike: Sequence[Entry]) -> str:
    if len(alike) == 1:
        return entry.label
    return entry.versioned_label if len({one.version for one in alike}) == len(alike) else entry.long_label


def _by_seed(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    return tuple(sorted(outcomes, key=lambda outcome: outcome.seed))

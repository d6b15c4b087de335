"""Pairs: which groups of two sides are set against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from bench.compare.group import Group, grouped
from bench.compare.side import Kind, Side
from bench.report.leagues import Board

Key = Callable[[Group], Any]


@dataclass(frozen=True)
class Pair:
    """Two groups, of which b is set against a."""

    a: Group
    b: Group

    @property
    def same_league(self) -> bool:
        return self.a.league == self.b.league

    @property
    def shared(self) -> int:
        """How many results are the same ones on both sides."""
        return len(self.a.results & self.b.results)


@dataclass(frozen=True)
class Pairs:
    """All pairs in order.

    Attributes:
        same: how many groups were left out, as both sides have the very same results.
        alone: how many groups of a, and of b, have nothing on the other side.
    """

    pairs: tuple[Pair, ...]
    same: int
    alone: tuple[int, int]


def pairs(first: Side, second: Side) -> Pairs:
    """Set the groups of the second side against those of the first."""
    a, b = grouped(first.runs), grouped(second.runs)
    key = _key(first.kind, a, b, across="*" not in (first.precision, second.precision))
    met = [Pair(one, other) for one, other in product(a, b) if key(one) == key(other)]
    kept = [pair for pair in met if pair.a.results != pair.b.results]
    order = sorted(kept, key=lambda pair: pair.a.league.order)
    alone = (_alone(a, [p.a for p in met]), _alone(b, [p.b for p in met]))
    return Pairs(tuple(order), len(met) - len(kept), alone)


def _key(kind: Kind, a: Sequence[Group], b: Sequence[Group], across: bool) -> Key:
    """What two groups must have in common to be paired; `across` precisions if both sides name theirs."""
    if kind == "methods":
        return lambda group: (_paired(across, group.league.board), group.league.bits)
    if kind == "results":
        return lambda group: (group.league, group.name, group.entry.tutor)
    boards = {group.league.board for group in a} & {group.league.board for group in b}
    names = {group.name for group in a}, {group.name for group in b}
    named = any(len(side) > 1 for side in names)

    def of_suites(group: Group) -> Any:
        """Suites may differ in schedule and precision; those of one method each may differ in the method instead."""
        board = group.league.board if boards else replace(group.league.board, schedule="", precision="")
        return board, group.league.bits, group.name if named else ""

    return of_suites


def _paired(across: bool, board: Board) -> Board:
    """The board, without its precision if pairs are made across precisions."""
    return replace(board, precision="") if across else board


def _alone(groups: Sequence[Group], met: Sequence[Group]) -> int:
    entries = {group.entry for group in met}
    return sum(group.entry not in entries for group in groups)

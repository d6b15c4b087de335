"""Freezing: references made from stored runs, and what may replace what."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from bench import RULES
from bench.compare.errors import NothingToCompare, ReferenceInvalid
from bench.compare.git import commit_of
from bench.compare.group import Group
from bench.compare.reference import FrozenRun, Reference, Replaced, Width, read, stored
from bench.compare.runs import Run
from bench.spec import Bits
from bench.stats import MINIMUM_SEEDS

MARGIN, WIDE_MARGIN = 0.005, 0.01
"""Margins that are declared unless others are given, as shares: the wide one where anything has 3 bits or fewer."""

Margins = Mapping[str, float]
"""Margins as shares by bits; the one of the empty name is for all others."""


@dataclass(frozen=True)
class Frozen:
    """References ready to be written, and why what else was found is in none of them."""

    references: tuple[Reference, ...]
    left_out: tuple[str, ...]


def margin_of(bits: Bits, margins: Margins) -> float:
    """The margin of a bit-width, a share."""
    usual = WIDE_MARGIN if min(bits.w, bits.a) <= 3 else MARGIN
    return margins.get(str(bits), margins.get("", usual))


def declared(group: Group, results: Path) -> float:
    """The margin that a stored reference declares for a group, else the usual one, a share."""
    bits = group.league.bits
    for found in stored(results).values():
        if found.name == group.name and found.board == group.league.board and str(bits) in found.widths:
            return found.widths[str(bits)].margin
    return margin_of(bits, {})


def freeze(groups: Sequence[Group], margins: Margins, results: Path) -> Frozen:
    """References of some groups, one for each league but for bits.

    Raises:
        NothingToCompare: if no group has seeds enough.
        ReferenceInvalid: if one league has groups of several versions or tutors.
    """
    enough = [group for group in groups if group.n >= MINIMUM_SEEDS]
    left_out = [f"{_where(g)} has {g.n} of {MINIMUM_SEEDS} seeds" for g in groups if g.n < MINIMUM_SEEDS]
    if not enough:
        told = f"; {left_out[0]}" if left_out else ""
        raise NothingToCompare(f"no runs to freeze{told}; run more with: python -m bench run SUITE --seeds N")
    commit = commit_of(Path(__file__).parent, "HEAD") or ""
    by_file = sorted(enough, key=_file)
    found = [_reference(list(same), margins, commit) for _, same in groupby(by_file, key=_file)]
    return Frozen(tuple(found), tuple(left_out))


def settle(reference: Reference, results: Path, because: str) -> Reference | None:
    """The reference as it may be written: with the trace of the one it replaces; None where it says nothing new.

    Raises:
        ReferenceInvalid: if it replaces one and no reason is given, or that one cannot be read.
    """
    path = reference.path(results)
    if not path.exists():
        return reference
    before = read(path)
    if before.content == reference.content:
        return None
    if not because.strip():
        raise ReferenceInvalid(f"{path} is there already and says otherwise; to replace it, say why: --because REASON")
    trace = Replaced(before.digest, reference.date, because.strip())
    return replace(reference, history=(*before.history, trace))


def _file(group: Group) -> tuple[object, ...]:
    league = group.league
    return *league.board.order, league.access, league.quantizer, group.name


def _where(group: Group) -> str:
    board = group.league.board
    return f"{group.name} {group.league.bits} on {board.dataset} {board.model} {board.schedule} {board.precision}"


def _reference(groups: Sequence[Group], margins: Margins, commit: str) -> Reference:
    first = groups[0]
    kinds = _told(groups, lambda group: group.entry.version) or _told(groups, lambda group: group.entry.tutor[:8])
    if kinds:
        chosen = "name one, e.g. with version=PATTERN"
        raise ReferenceInvalid(f"{_where(first)} has runs of {' and '.join(kinds)}: {chosen}")
    cell, league = first.runs[0].record.cell, first.league
    return Reference(
        name=first.name,
        method=cell.method,
        options=cell.options,
        version=first.entry.version,
        rules=RULES,
        board=league.board,
        access=league.access,
        quantizer=league.quantizer,
        tutor=cell.tutor,
        date=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        commit=commit,
        widths={str(group.league.bits): _width(group, margins) for group in groups},
    )


def _told(groups: Sequence[Group], what: Callable[[Group], str]) -> list[str]:
    """What some groups differ in, or nothing."""
    found = sorted({what(group) for group in groups})
    return found if len(found) > 1 else []


def _width(group: Group, margins: Margins) -> Width:
    return Width(margin_of(group.league.bits, margins), tuple(map(_frozen, group.runs)))


def _frozen(run: Run) -> FrozenRun:
    record = run.record
    correct = str(record.result.get("correct", ""))
    return FrozenRun(
        seed=run.seed,
        record=record.id,
        platform=record.platform,
        last=run.last,
        correct=hashlib.sha256(correct.encode()).hexdigest(),
        digest=run.digest,
        seconds=record.run.get("seconds", {}),
        peak_bytes=record.run.get("peak_bytes", {}),
    )

"""How the results of two runs of one cell compare: identical, statistically equal, or different."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from bench.records import Record
from bench.stats.mcnemar import mcnemar

IDENTICAL, EQUAL, DIFFERENT = "identical", "statistically equal", "not reproduced"
LEVEL = 0.05
"""Of McNemar's test; a p below it is a difference."""


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison.

    Attributes:
        verdict: IDENTICAL, EQUAL or DIFFERENT. why: with its reason.
        differing: names of the fields whose values differ. only_then, only_now: of those that the other result lacks.
    """

    verdict: str
    why: str
    differing: tuple[str, ...] = ()
    only_then: tuple[str, ...] = ()
    only_now: tuple[str, ...] = ()


def compare(then: Record, now: Record) -> Comparison:
    """Compare the results of two records of one cell.

    Results that hold other fields, as of two versions of this project, are identical if all that both have is.
    Others are statistically equal if the exact McNemar test on their correctness bits finds no difference.
    """
    if now.status != then.status:
        return Comparison(DIFFERENT, f"{DIFFERENT}: the record is {then.status}, this run {_ended(now)}")
    if then.result["digest"] == now.result["digest"]:
        return Comparison(IDENTICAL, "identical: the result digests are equal")
    old, new = _fields(then.result), _fields(now.result)
    differing = tuple(sorted(name for name in old.keys() & new.keys() if old[name] != new[name]))
    sets = differing, _lacking(old, new), _lacking(new, old)
    common = len(old.keys() & new.keys())
    if common and not differing:
        return Comparison(IDENTICAL, f"identical in all {common} common fields", *sets)
    verdict, why = _statistics(then.result, now.result)
    return Comparison(verdict, f"{verdict}: {len(differing)} of {common} common fields differ; {why}", *sets)


def _ended(record: Record) -> str:
    return record.status if record.ok else f"{record.status} ({record.reason})"


def _statistics(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str]:
    """Verdict and reason from the images that one model classifies right and the other wrong."""
    if "correct" not in then or "correct" not in now:
        return DIFFERENT, "without correctness bits of both there is nothing to test"
    old, new = (int.from_bytes(base64.b64decode(result["correct"])) for result in (then, now))
    gained, lost = (new & ~old).bit_count(), (old & ~new).bit_count()
    p = mcnemar(gained, lost)
    told = f"{gained} images are right that were wrong and {lost} wrong that were right: exact McNemar p = {p:.3g}"
    return (EQUAL, f"{told}, no difference") if p >= LEVEL else (DIFFERENT, f"{told}, below {LEVEL}")


def _lacking(names: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    """What the other result has nothing of, named by the outermost object that it lacks."""
    known = {start for name in other for start in _starts(name)}
    return tuple(sorted({next(start for start in _starts(name) if start not in known) for name in set(names) - known}))


def _starts(name: str) -> list[str]:
    """`a`, `a.b` and `a.b.c` of `a.b.c`."""
    return list(accumulate(name.split("."), "{}.{}".format))


def _fields(result: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """The values of each field with their places; items of a list are values of one field."""
    found: defaultdict[str, list[tuple[str, Any]]] = defaultdict(list)
    for name, place, value in _leaves({key: value for key, value in result.items() if key != "digest"}, "", ""):
        found[name].append((place, value))
    return found


def _leaves(value: Any, name: str, place: str) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, dict):
        for key, inner in sorted(value.items()):
            dot = "." if name else ""
            yield from _leaves(inner, f"{name}{dot}{key}", f"{place}{dot}{key}")
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, name, f"{place}[{index}]")
    else:
        yield name, place, value

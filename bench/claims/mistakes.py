"""What is wrong with a claims file: every mistake, where it is and what to write instead."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench import models, registry
from bench.errors import UnknownName
from bench.names import unknown
from bench.spec import Bits

MEASURES = ("accuracy", "gradient")
EXPECTED = ("gain", "more", "less", "within")

Check = Callable[[Any], str | None]


def mistakes(plain: Mapping[str, Any]) -> list[str]:
    """Every mistake of a claims file that is valid TOML, in its order."""
    found = [*_keys(plain, {"name": _text, "claim": _tables}, {"out_of_scope": _tables})]
    claims = [claim for claim in _listed(plain, "claim") if isinstance(claim, dict)]
    for number, claim in enumerate(claims, start=1):
        where = f"claim {number} ({claim['name']})" if isinstance(claim.get("name"), str) else f"claim {number}"
        found += [f"{where}: {problem}" for problem in _claim(claim)]
    names = Counter(claim["name"] for claim in claims if isinstance(claim.get("name"), str))
    found += [f"{count} claims are called {name}; names must differ" for name, count in names.items() if count > 1]
    for number, other in enumerate(_listed(plain, "out_of_scope"), start=1):
        if isinstance(other, dict):
            problems = _keys(other, dict.fromkeys(("paper", "says", "why"), _text))
            found += [f"out_of_scope {number}: {problem}" for problem in problems]
    return found


def _claim(claim: Mapping[str, Any]) -> Iterator[str]:
    texts = dict.fromkeys(("name", "paper", "says"), _text)
    more = {"model": _model, "unlike": _lines, "full": _shares}
    yield from _keys(claim, {**texts, "arms": _table, "at": _tables, "compare": _tables}, more)
    arms = claim["arms"] if isinstance(claim.get("arms"), dict) else {}
    for name, arm in arms.items():
        problems = _arm(arm) if isinstance(arm, dict) else ['write a table, e.g. { method = "gdfq" }']
        yield from (f"arms.{name}: {problem}" for problem in problems)
    for number, spot in enumerate(_listed(claim, "at"), start=1):
        if isinstance(spot, dict):
            problems = _keys(spot, {"dataset": _text, "bits": _bits}, {"published": _published})
            yield from (f"at {number}: {problem}" for problem in problems)
    for number, comparison in enumerate(_listed(claim, "compare"), start=1):
        if isinstance(comparison, dict):
            yield from (
                f"compare {number}: {problem}" for problem in _comparison(comparison, arms, _listed(claim, "at"))
            )


def _arm(arm: Mapping[str, Any]) -> Iterator[str]:
    yield from _keys(arm, {"method": _method}, {"options": _table, "bits": _bits})


def _comparison(comparison: Mapping[str, Any], arms: Mapping[str, Any], spots: list[Any]) -> Iterator[str]:
    more: dict[str, Check] = {"margin": _margin, "measure": lambda value: _choice("measure", value, MEASURES)}
    required: dict[str, Check] = dict.fromkeys(("of", "over"), lambda value: _choice("arm", value, arms))
    yield from _keys(comparison, {**required, "expect": lambda value: _choice("expectation", value, EXPECTED)}, more)
    expect = comparison.get("expect")
    if expect == "within" and "margin" not in comparison:
        yield "within what? give a margin in points, e.g. margin = 0.3"
    if expect != "within" and "margin" in comparison:
        yield 'margin: only expect = "within" has one; leave it out'
    if expect == "gain" and any(isinstance(spot, dict) and "published" not in spot for spot in spots):
        yield 'expect = "gain" needs published = [without, with] at every entry of `at`; or expect "more" or "less"'
    if comparison.get("measure") == "gradient" and expect not in ("more", "less"):
        yield 'gradients are not in points; expect "more" or "less" of them'


def _keys(
    plain: Mapping[str, Any], required: Mapping[str, Check], more: Mapping[str, Check] | None = None
) -> list[str]:
    """What is wrong with the keys of a table and their values."""
    checks = {**required, **(more or {})}
    found = [f"{key}: must be given" for key in required if key not in plain]
    for key, value in plain.items():
        if key not in checks:
            found.append(f"{key}: {unknown('key', key, checks)}")
        elif problem := checks[key](value):
            found.append(f"{key}: {problem}")
    return found


def _listed(plain: Mapping[str, Any], key: str) -> list[Any]:
    value = plain.get(key)
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else f"must be text, not {value!r}"


def _lines(value: Any) -> str | None:
    fine = isinstance(value, list) and all(isinstance(line, str) for line in value)
    return None if fine else f'must be a list of texts, e.g. ["one seed"], not {value!r}'


def _table(value: Any) -> str | None:
    return None if isinstance(value, dict) and value else "must be a table with at least one entry"


def _tables(value: Any) -> str | None:
    fine = isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value)
    return None if fine else "must be a list of at least one table"


def _shares(value: Any) -> str | None:
    fine = isinstance(value, dict) and all(_percent(share) for share in value.values())
    return None if fine else f"must be percent by data set, e.g. {{ cifar10 = 93.89 }}, not {value!r}"


def _published(value: Any) -> str | None:
    fine = isinstance(value, list) and all(_percent(share) for share in value) and len(set(value)) == len(value) == 2
    return None if fine else f"must be two percentages, without and with, e.g. [84.89, 86.76], not {value!r}"


def _percent(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 100


def _margin(value: Any) -> str | None:
    fine = type(value) in (int, float) and math.isfinite(value) and value > 0
    return None if fine else f"must be points above 0, e.g. 0.3, not {value!r}"


def _bits(value: Any) -> str | None:
    try:
        Bits.parse(value)
    except ValueError as error:
        return str(error)
    return None


def _method(value: Any) -> str | None:
    return _choice("method", value, registry.names())


def _model(value: Any) -> str | None:
    try:
        models.check(str(value))
    except UnknownName as error:
        return str(error)
    return None


def _choice(kind: str, value: Any, known: Any) -> str | None:
    return None if isinstance(value, str) and value in known else unknown(kind, str(value), known)

"""Options: declared ones validate, all mistakes are told at once, and none is declared that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, asdict, fields, is_dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bench.conformance.report import Problem
from bench.conformance.trial import Trial
from bench.errors import CellDeclined, OptionInvalid
from bench.method import Card, options_of

FORM = "write a frozen dataclass whose fields are bool, int, float, str or Literal and have defaults"
STRANGERS = {"no_such_option": 1, "nor_this_one": 2}


def check(trial: Trial) -> list[Problem]:
    kind = trial.method.card.options
    if kind is type(None):
        return _refusals(trial.method.card, {})
    if not (is_dataclass(kind) and kind.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        return [Problem("card.options", f"is {kind.__name__}, which is no frozen dataclass", FORM)]
    bare = [f.name for f in fields(kind) if f.default is MISSING]
    if bare:
        return [Problem(f"option {name}", "has no default", FORM) for name in bare]
    return _defaults(trial.method.card) or [*_refusals(trial.method.card, _wrong(kind)), *_unread(trial)]


def _defaults(card: Card) -> list[Problem]:
    """Defaults that may not be given as they are."""
    found = []
    for name, value in asdict(card.options()).items():
        try:
            options_of(card, {name: value})
        except Exception as error:  # a type that options cannot have may be told of in other ways
            found.append(Problem(f"option {name}", f"refuses its own default ({error})", FORM))
    return found


def _refusals(card: Card, wrong: dict[str, Any]) -> list[Problem]:
    """Unknown options and wrong values that are taken, or not told of together."""
    try:
        options_of(card, {**STRANGERS, **wrong})
    except OptionInvalid as error:
        untold = [name for name in (*STRANGERS, *wrong) if name not in str(error)]
        return [Problem(f"option {name}", "is wrong, but not told of with the others", FORM) for name in untold]
    return [Problem("card.options", f"takes the unknown options {', '.join(STRANGERS)}", FORM)]


def _wrong(kind: type) -> dict[str, Any]:
    return {f.name: object() for f in fields(kind)}


def _unread(trial: Trial) -> list[Problem]:
    """Options that no run looks at: at their defaults first, then at each other choice of every option with choices."""
    assert trial.reference
    read = set(trial.read)
    for variant in _variants(trial):
        if read >= {f.name for f in fields(trial.method.card.options)}:
            return []
        try:
            assert variant.reference
        except CellDeclined:
            continue
        read |= variant.read
    unread = [f.name for f in fields(trial.method.card.options) if f.name not in read]
    told = "use it (setup.options.{}), or take it out"
    return [Problem(f"option {name}", "changes nothing: no run reads it", told.format(name)) for name in unread]


def _variants(trial: Trial) -> Iterator[Trial]:
    hints, given = get_type_hints(trial.method.card.options), asdict(options_of(trial.method.card, trial.given))
    for name, hint in hints.items():
        choices = get_args(hint) if get_origin(hint) is Literal else (False, True) if hint is bool else ()
        for choice in choices:
            if choice != given[name]:
                yield replace(trial, given={**trial.given, name: choice}, read=set())

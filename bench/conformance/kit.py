"""The conformance kit: every check of an adapter, in seconds, on a stand-in of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from bench import models
from bench.conformance import places
from bench.conformance.checks import access, card, declines, levels, numbers, options, repeats, sync
from bench.conformance.options import plain_options
from bench.conformance.report import Outcome, Problem, Report, judge, validated
from bench.conformance.trial import Trial
from bench.errors import BenchError
from bench.files import canonical_json
from bench.method import Method
from bench.names import check as known_name
from bench.registry import get

CHECKS: Mapping[str, Callable[[Trial], list[Problem]]] = {
    "card": card.check,
    "options": options.check,
    "declines": declines.check,
    "losses": numbers.check,
    "determinism": repeats.determinism,
    "resume": repeats.resume,
    "sharing": repeats.sharing,
    "evaluation": levels.evaluation,
    "census": levels.census,
    "bits": levels.bits,
    "data": access.check,
    "sync": sync.check,
}
"""The checks by name, in the order in which they run."""


def check(
    method: str | Method,
    options: Mapping[str, Any] | None = None,
    expected: Mapping[str, str] | None = None,
    *,
    only: Iterable[str] = CHECKS,
    model: str = "resnet20",
    device: str = "cpu",
    seed: int = 0,
) -> Report:
    """Check whether an adapter keeps the contract; for tests, of whatever package.

    Args:
        method: a registered name, or the adapter itself.
        options: plain options, the others at their defaults.
        expected: failures that are meant to be, by check, or by `check:where` for one layer, loss or place alone, each
            with its reason. One that does not fail is an error.
        only: names of the checks to run.
        model: network of the student. device: `cpu` or `cuda`; what must repeat bit for bit runs on the CPU.
        seed: of the cells, and of the random step at which a run is interrupted.

    Raises:
        OptionInvalid, UnknownName, ExpectationInvalid: for what is wrong with the arguments. What is wrong with the
            adapter is in the report.
    """
    adapter = get(method) if isinstance(method, str) else method
    return Report(adapter.card.name, tuple(outcomes(adapter, options, expected, only, model, device, seed)))


def outcomes(
    adapter: Method,
    options: Mapping[str, Any] | None = None,
    expected: Mapping[str, str] | None = None,
    only: Iterable[str] = CHECKS,
    model: str = "resnet20",
    device: str = "cpu",
    seed: int = 0,
) -> Iterator[Outcome]:
    """The outcomes of `check`, each as soon as it is there."""
    models.check(model)
    names = [known_name("check", name, CHECKS) for name in only]
    declared = validated(expected or {}, CHECKS)
    trial = _trial(adapter, canonical_json(plain_options(adapter, options or {})), model, device, seed)
    return (judge(name, _problems(name, trial), declared) for name in names)


@lru_cache(maxsize=1)
def _trial(adapter: Method, options: str, model: str, device: str, seed: int) -> Trial:
    """The trial that checks of one adapter share, so that each of them may be a test of its own."""
    return Trial(adapter, json.loads(options), model, device, seed)


def _problems(name: str, trial: Trial) -> list[Problem]:
    """What a check finds; an adapter that breaks down fails the checks that need it to run."""
    try:
        return CHECKS[name](trial)
    except BenchError as error:
        return [Problem(trial.method.card.name, str(error))]
    except Exception as error:
        lines = str(error).splitlines() or [""]
        return [Problem(places.of_error(error), f"{type(error).__name__}: {lines[0]}")]

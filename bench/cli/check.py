"""`check METHOD`: whether an adapter keeps the contract, one line a check."""

from __future__ import annotations

import argparse
import tomllib
from typing import Any


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("method", help="a method of `ls methods`")
    parser.add_argument(
        "--option", type=_option, action="append", default=[], metavar="NAME=VALUE", help="an option of the method"
    )
    parser.add_argument(
        "--expect",
        type=_reason,
        action="append",
        default=[],
        metavar="CHECK[:WHERE]=REASON",
        help="a failure that is meant to be, and an error once it does not fail",
    )
    parser.add_argument("--model", default="resnet20", help="network of the student (default: resnet20)")
    parser.add_argument("--seed", type=int, default=0, help="another seed interrupts another step (default: 0)")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to run (default: auto)"
    )


def run(parsed: argparse.Namespace) -> int:
    from bench.conformance.kit import CHECKS, outcomes
    from bench.measure.environment import device
    from bench.registry import get

    found = outcomes(
        get(parsed.method),
        dict(parsed.option),
        dict(parsed.expect),
        CHECKS,
        parsed.model,
        device(parsed.device),
        parsed.seed,
    )
    kept = True
    for outcome in found:
        print(outcome.line(), flush=True)
        kept = kept and outcome.ok
    return 0 if kept else 1


def _option(text: str) -> tuple[str, Any]:
    """Name and value; what is no number, truth value or quoted text in TOML is text."""
    name, value = _pair(text, "NAME=VALUE")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


def _reason(text: str) -> tuple[str, str]:
    return _pair(text, "CHECK=REASON")


def _pair(text: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form {form}")
    return name, value

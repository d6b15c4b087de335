"""Options that choose cells of a suite, and the wish that they make."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from bench.sweep.wish import Wish, bits_patterns, seed_patterns


def add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--method", metavar="GLOB", default="*", help="only methods that match this glob")
    parser.add_argument("--dataset", metavar="GLOB", default="*", help="only data sets that match this glob")
    parser.add_argument(
        "--bits", type=told(bits_patterns), default=(), help="only these bit-widths, e.g. W4A4,W3A3 or 'W*A4'"
    )
    parser.add_argument("--seed", type=told(seed_patterns), default=(), help="only these seeds, e.g. 0,3 or '[0-2]'")
    parser.add_argument("--seeds", type=count, metavar="N", help="seeds 0 to N-1 in place of the suite's")


def wish(parsed: argparse.Namespace) -> Wish:
    """The wish of a command with the options of `add_filters` and `add_machine`."""
    return Wish(
        method=parsed.method,
        dataset=parsed.dataset,
        bits=parsed.bits,
        seeds=parsed.seeds,
        schedule=parsed.schedule,
        precision=parsed.precision,
        seed=parsed.seed,
    )


def told(read: Callable[[str], tuple[str, ...]]) -> Callable[[str], tuple[str, ...]]:
    """`read` as argparse wants it: its error's own words are shown."""

    def reader(text: str) -> tuple[str, ...]:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return reader


def count(text: str) -> int:
    """A whole number from 1, as an option's type."""
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 1")
    return int(text)

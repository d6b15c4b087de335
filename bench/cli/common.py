"""Options that several verbs share."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data import data_root
from bench.errors import UnknownName
from bench.schedule import check_name
from bench.spec import PRECISIONS

if TYPE_CHECKING:
    from bench.sweep.place import Place


FOLDERS = ("--results", "--data-root")
"""Options that say where things lie on this machine, which is nothing to records."""


def add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, default=Path("results"), help="results folder (default: results)")


def add_data_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-root", help="folder with the data sets (default: $BENCH_DATA, else data)")


def add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to run (default: auto)"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of a cell (default: %(default)s)")
    parser.add_argument(
        "--schedule",
        type=_schedule,
        metavar="{paper,quick,smoke,N-epochs}",
        help="published schedule, 1/25 of its epochs, 2 epochs of 20 steps, or any length such as 40-epochs",
    )
    parser.add_argument("--precision", choices=PRECISIONS, help="arithmetic of training (evaluation is always fp32)")


def place(parsed: argparse.Namespace) -> Place:
    """Where the parsed command runs."""
    from bench.measure.environment import device
    from bench.sweep.place import Place

    teacher = getattr(parsed, "teacher", None)
    return Place(parsed.results, data_root(parsed.data_root), device(parsed.device), parsed.threads, teacher)


def command() -> str:
    """The command line as it was given, for records, but for the folders of this machine."""
    words = ["python -m bench"]
    given = iter(sys.argv[1:])
    for word in given:
        if word in FOLDERS:
            next(given, None)
        elif not word.startswith(tuple(f"{option}=" for option in FOLDERS)):
            words.append(word)
    return " ".join(words)


def _schedule(text: str) -> str:
    try:
        return check_name(text)
    except UnknownName as error:
        raise argparse.ArgumentTypeError(str(error)) from error

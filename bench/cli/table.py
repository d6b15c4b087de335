"""`table`: show the tables of a results folder in the terminal; `leaderboard` writes them."""

from __future__ import annotations

import argparse

from bench.cli.common import add_results
from bench.report.documents import KINDS


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", help="show this data set's tables alone")
    told = "; ".join(f"{kind}: {text}" for kind, text in KINDS.items())
    parser.add_argument("--show", choices=KINDS, default="accuracy", help=f"which tables (default: accuracy); {told}")
    add_results(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.report import table

    print(table.terminal(table.build(parsed.results), parsed.dataset, parsed.show))
    return 0

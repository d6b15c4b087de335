"""`merge DIR...`: take the records of other results folders into this one."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.cli.common import add_results


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", type=Path, metavar="DIR", help="results folder of another machine")
    add_results(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.report import table
    from bench.sweep.merge import merge

    print(merge(parsed.results, parsed.sources))
    table.write(parsed.results)
    return 0

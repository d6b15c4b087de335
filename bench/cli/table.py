"""`table`: render every table from the stored records, or check that they are current."""

from __future__ import annotations

import argparse

from bench.cli.common import add_results


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a stored table is out of date")
    parser.add_argument("--dataset", help="print this data set's table alone")
    add_results(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.report import table

    if parsed.check:
        stale = table.stale(parsed.results)
        for path in stale:
            print(f"{path} is not what the records give; run: python -m bench table")
        return 1 if stale else 0
    table.write(parsed.results)
    print(table.terminal(table.build(parsed.results), parsed.dataset))
    return 0

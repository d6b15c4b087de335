"""`page`: write the one page that shows all results, or check that it is current."""

from __future__ import annotations

import argparse

from bench.cli.common import add_results


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the stored page is out of date")
    add_results(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.page import document

    if parsed.check:
        stale = document.stale(parsed.results)
        if stale:
            print(f"{stale} is not what the records give; run: python -m bench page")
        return 1 if stale else 0
    print(document.write(parsed.results))
    return 0

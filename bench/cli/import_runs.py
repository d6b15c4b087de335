"""`import-runs CSV`: bring in runs of the authors' own programs, which stand beside measured rows and never rank."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.cli.common import add_results


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("csv", type=Path, metavar="CSV", help="file of runs; docs/reproducing.md names its columns")
    add_results(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.author_code.bring import bring
    from bench.author_code.rows import read
    from bench.data import store
    from bench.report import table

    known = {*store.names(), *(path.name for path in (parsed.results / "records").glob("*") if path.is_dir())}
    print(bring(parsed.results, parsed.csv, read(parsed.csv, known)))
    table.write(parsed.results)
    return 0

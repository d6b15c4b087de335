"""`sync`: bring MLflow in line with the records."""

from __future__ import annotations

import argparse

from bench.cli.common import add_results


def options(parser: argparse.ArgumentParser) -> None:
    add_results(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.track import sync

    print(f"MLflow: {sync(parsed.results)}")
    return 0

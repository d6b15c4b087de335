"""`plots`: draw every plot from the stored records."""

from __future__ import annotations

import argparse

from bench.cli.common import add_results


def options(parser: argparse.ArgumentParser) -> None:
    add_results(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.plots import files

    written = files.write(parsed.results)
    for path in written:
        print(path)
    if not written:
        print("Nothing to draw yet: no quantized cell has left a record. Run a sweep first, e.g. make bench-cifar10")
    return 0

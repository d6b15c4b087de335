"""`status SUITE`: what is done, failed and left, without running anything."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.cli.common import add_data_root, add_machine, add_results, place
from bench.suite import read


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", type=Path, help="suite file, e.g. suites/cifar10.toml")
    parser.add_argument("--seeds", type=int, help="number of seeds, from 0")
    add_machine(parser)
    add_results(parser)
    add_data_root(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench import records
    from bench.sweep.plan import Wish, make

    plan = make(
        read(parsed.suite),
        Wish(seeds=parsed.seeds, schedule=parsed.schedule, precision=parsed.precision),
        place(parsed),
    )
    for planned in plan.cells:
        reason = "" if planned.status in ("left", "ok") else f": {records.read(planned.path).reason}"
        print(f"{planned.status:9} {planned.cell.dataset} {planned.cell.label} {planned.id[:16]}{reason}")
    for reason in plan.declined:
        print(f"declined  {reason}")
    return 0

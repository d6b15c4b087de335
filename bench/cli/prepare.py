"""`prepare`: download and verify a data set. Only this downloads, never a cell."""

from __future__ import annotations

import argparse

from bench.cli.common import add_data_root
from bench.data import data_root
from bench.data.prepare import prepare


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", required=True, help="cifar10, cifar100, shapes10, shapes100 or a name of your own")
    add_data_root(parser)


def run(parsed: argparse.Namespace) -> int:
    found = prepare(parsed.dataset, data_root(parsed.data_root))
    sizes = " and ".join(f"{count} {split}" for split, count in found.sizes.items())
    print(f"{found.name}: {sizes} images of {found.classes} classes, fingerprint {found.fingerprint[:16]}")
    return 0

"""`new-method NAME`: write a working adapter and its test, to start from."""

from __future__ import annotations

import argparse
from pathlib import Path


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="name of the method: small letters, digits and _")


def run(parsed: argparse.Namespace) -> int:
    from bench.skeleton import write

    for path in write(parsed.name, Path()):
        print(f"wrote {path}")
    print(f"try it: python -m bench check {parsed.name}")
    return 0

"""`ls KIND`: names that commands and suites may use."""

from __future__ import annotations

import argparse
from pathlib import Path

KINDS = ("methods", "models", "datasets", "suites")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=KINDS)


def run(parsed: argparse.Namespace) -> int:
    for name in _names(parsed.kind):
        print(name)
    return 0


def _names(kind: str) -> list[str]:
    from bench import models, registry
    from bench.data import store

    if kind == "suites":
        return sorted(str(path) for path in Path("suites").glob("*.toml"))
    return {"methods": registry.names, "models": models.names, "datasets": store.names}[kind]()

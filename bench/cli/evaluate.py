"""`evaluate CELL|FILE`: score stored models on the test images again, without training."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.common import add_data_root, add_results

if TYPE_CHECKING:
    from bench.evaluate.rescore import Evaluation

WIDTH = 5
"""Classes a line."""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="CELL|FILE", help="beginning of a cell's id, or a file of weights")
    parser.add_argument("--dataset", help="of a full-precision model in a file that has no card beside it")
    parser.add_argument("--model", help="network of such a file")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default: auto)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads (default: all)")
    add_results(parser)
    add_data_root(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.data import data_root
    from bench.evaluate.rescore import evaluate
    from bench.evaluate.target import Brought, find
    from bench.measure.environment import device

    root: Path = data_root(parsed.data_root)
    for target in find(parsed.results, parsed.what, Brought(root, parsed.dataset, parsed.model)):
        found = evaluate(target, root, device(parsed.device), parsed.threads)
        print(f"{target.title} on {target.record.platform}" if target.record else target.title)
        print(show(found))
    return 0


def show(found: Evaluation) -> str:
    """An evaluation for a terminal."""
    low, high = found.interval
    lines = [
        f"  top-1      {found.top1:.2%} (95 % interval {low:.2%} to {high:.2%}) of {found.images:,} test images",
        f"  top-5      {found.top5:.2%}",
    ]
    if found.agreement is not None:
        lines.append(f"  agreement  {found.agreement:.2%} with the full-precision model that it started from")
    if found.differ is not None:
        same = "identical, image for image" if found.differ == 0 else f"right or wrong on {found.differ} other images"
        lines.append(f"  record     {found.recorded:.2%}: {same}")
    return "\n".join([*lines, *_classes(found)])


def _classes(found: Evaluation) -> list[str]:
    """The share of each class, some a line."""
    shares = [f"{index}: {right / max(of, 1):.1%}" for index, (right, of) in enumerate(found.classes)]
    starts = range(0, len(shares), WIDTH)
    heads = ["classes", *[""] * len(starts)]
    rows = [", ".join(f"{share:>9}" for share in shares[start : start + WIDTH]) for start in starts]
    return [f"  {head:9}  {row}" for head, row in zip(heads, rows, strict=False)]

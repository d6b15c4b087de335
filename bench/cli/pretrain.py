"""`pretrain`: train a full-precision model and keep it in results/teachers/ with its card."""

from __future__ import annotations

import argparse
import sys

from bench.cli.common import add_data_root, add_machine, add_results, place
from bench.files import ensure_writable
from bench.spec import FULL
from bench.suite import Point, Suite


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="in place of the recipe's number of epochs")
    add_machine(parser)
    add_results(parser)
    add_data_root(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.sweep import local
    from bench.sweep.plan import Wish, make
    from bench.sweep.publish import publish

    schedule = f"{parsed.epochs}-epochs" if parsed.epochs else parsed.schedule or "paper"
    point = Point(parsed.dataset, parsed.model, "pretrain", FULL, schedule, parsed.precision or "bf16", parsed.seed)
    axes = {axis: [value] for axis, value in vars(point).items() if axis != "options"}
    where, suite = place(parsed), Suite("pretrain", axes)
    ensure_writable(where.results)
    if code := local.run(make(suite, Wish(), where), " ".join(["python -m bench", *sys.argv[1:]])):
        return code
    card = publish(make(suite, Wish(), where).cells[0], where)
    kept = where.results / "teachers"
    print(f"{card.model} for {card.dataset}: top-1 {card.top1:.2%} after the last epoch, kept in {kept}")
    return 0

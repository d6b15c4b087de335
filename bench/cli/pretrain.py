"""`pretrain`: train a full-precision model and keep it in results/teachers/ with its card."""

from __future__ import annotations

import argparse

from bench.cli.common import add_data_root, add_machine, add_results, command, place
from bench.files import ensure_writable


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="in place of the recipe's number of epochs")
    add_machine(parser)
    add_results(parser)
    add_data_root(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.sweep.pretraining import point_of, train

    schedule = f"{parsed.epochs}-epochs" if parsed.epochs else parsed.schedule or "paper"
    where = place(parsed)
    ensure_writable(where.results)
    point = point_of(parsed.dataset, parsed.model, schedule, parsed.precision or "bf16", parsed.seed)
    done = train(point, where, command())
    if isinstance(done, int):
        return done
    kept = where.results / "teachers"
    print(f"{done.model} for {done.dataset}: top-1 {done.top1:.2%} after the last epoch, kept in {kept}")
    return 0

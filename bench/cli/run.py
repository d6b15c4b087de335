"""`run SUITE`: plan, run what is missing, sync and show the table."""

from __future__ import annotations

import argparse
import os
import re
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.common import add_data_root, add_machine, add_results, command, place
from bench.cli.filters import add_filters, wish
from bench.data import data_root, describe
from bench.errors import DataMissing, TrackingUnavailable
from bench.files import ensure_writable
from bench.suite import Suite, read
from bench.sweep.executors import NAMES as EXECUTORS
from bench.sweep.executors import Executor, executor

if TYPE_CHECKING:
    from bench.sweep.place import Place
    from bench.sweep.plan import Plan
    from bench.sweep.wish import Wish


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", type=Path, help="suite file, e.g. suites/cifar10.toml")
    add_filters(parser)
    parser.add_argument("--teacher", type=Path, help="weights of the full-precision model, e.g. a file of pytorchcv")
    parser.add_argument("--stand-in", metavar="NAME", help="data set to use where the suite's own cannot be had")
    parser.add_argument("--pretrain", action="store_true", help="first train full-precision models that are missing")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    parser.add_argument("--no-sync", action="store_true", help="leave MLflow alone; `sync` brings the records in later")
    parser.add_argument("--executor", choices=EXECUTORS, default="local", help="where cells run (default: local)")
    parser.add_argument("--slots", type=int, help="how many groups of cells run at once (default: as many as fit)")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        help="end a cell that takes longer, e.g. 90, 45m, 2h (default: 5 times its siblings)",
    )
    add_machine(parser)
    add_results(parser)
    add_data_root(parser)


def run(parsed: argparse.Namespace) -> int:
    suite = _with_data(read(parsed.suite), parsed)
    wished, where = wish(parsed), place(parsed)
    if parsed.dry_run:
        return _dry_run(suite, wished, where)
    ensure_writable(where.results)
    with closing(executor(parsed.executor, where, parsed.slots)) as held:  # it imports torch while this process does
        code = _sweep(suite, wished, held, where, parsed)
    return code or _finish(suite, wished, where, parsed)


def _dry_run(suite: Suite, wished: Wish, where: Place) -> int:
    from bench.sweep.plan import make

    _show(make(suite, wished, where, missing_allowed=True))
    return 0


def _sweep(suite: Suite, wished: Wish, held: Executor, where: Place, parsed: argparse.Namespace) -> int:
    """Run what is left; 0, or the exit code of a sweep that could not go on."""
    from bench.sweep import supervisor
    from bench.sweep.failures import leave_skips
    from bench.sweep.limits import Limits
    from bench.sweep.plan import make

    if parsed.pretrain and not parsed.teacher and (code := _pretrain(suite, wished, where)):
        return code
    plan = make(suite, wished, where)
    _show(plan)
    leave_skips(plan, command())
    return supervisor.run(plan, command(), held, Limits(parsed.timeout)) if plan.left else 0


def _show(plan: Plan) -> None:
    from bench import records
    from bench.sweep.rates import rates
    from bench.sweep.show import show

    print(show(plan, rates(records.load(plan.place.results), plan.place.device)), flush=True)


def _finish(suite: Suite, wished: Wish, where: Place, parsed: argparse.Namespace) -> int:
    from bench.report import table
    from bench.sweep.plan import make

    cells = make(suite, wished, where).cells
    if not parsed.no_sync:
        _sync(parsed.results)
    report = table.build(parsed.results)
    table.write(parsed.results, report)
    for dataset in dict.fromkeys(planned.cell.dataset for planned in cells):
        print(table.terminal(report, dataset))
    return 0 if all(planned.status in ("ok", "skipped") for planned in cells) else 1


def _pretrain(suite: Suite, wish: Wish, where: Place) -> int:
    """Train what is missing; 0, or the exit code of a training that could not go on."""
    from bench.sweep.pretraining import missing, train

    for point in missing(suite, wish, where):
        print(f"there is no full-precision {point.model} for {point.dataset} yet: training it first", flush=True)
        done = train(point, where, command())
        if isinstance(done, int):
            return done
    return 0


def _with_data(suite: Suite, parsed: argparse.Namespace) -> Suite:
    """The suite, or the suite on the stand-in where its data can be neither found nor downloaded."""
    from bench.data.prepare import prepare

    root = data_root(parsed.data_root)
    for name in suite.axes["dataset"]:
        try:
            describe(name, root)
        except DataMissing as missing:
            if not parsed.stand_in:
                raise
            try:
                prepare(name, root)
            except DataMissing:
                return _standing_in(suite, parsed.stand_in, missing)
    return suite


def _standing_in(suite: Suite, stand_in: str, missing: DataMissing) -> Suite:
    if os.environ.get("REQUIRE_DATA", "") not in ("", "0"):
        raise missing
    print(
        f"{missing}\nGoing on with {stand_in}, a procedural STAND-IN: its numbers say nothing of CIFAR.\n",
        file=sys.stderr,
    )
    return Suite(f"{suite.name}-stand-in", {**suite.axes, "dataset": [stand_in]}, suite.overrides)


def _sync(results: Path) -> None:
    from bench.track import sync

    try:
        print(f"MLflow: {sync(results)}")
    except TrackingUnavailable as error:
        print(f"MLflow: {error}", file=sys.stderr)


def _seconds(text: str) -> float:
    """Seconds of a time such as `90`, `45m` or `2h`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found or not float(found[1]):
        raise argparse.ArgumentTypeError(f"'{text}' is no time such as 90, 45m or 2h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]

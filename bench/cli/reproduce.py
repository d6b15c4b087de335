"""`reproduce RECORD`: run one stored cell again and say how the result compares with its record."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.common import add_data_root, add_results, command

if TYPE_CHECKING:
    from bench.records import Record
    from bench.reproduce.compare import Comparison

NOT_REPRODUCED = 3
INTERRUPTED = 130
LISTED = 8


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", metavar="RECORD", help="a record's path, or the beginning of a cell id")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="where to run (default: as the record)")
    parser.add_argument("--threads", type=_threads, help="CPU threads (default: as the record)")
    parser.add_argument("--teacher", type=Path, help="weights of the full-precision model, where a file was given")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="results folder of the run, to keep or to continue")
    add_results(parser)
    add_data_root(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.data import data_root
    from bench.reproduce.again import Means, job_of
    from bench.reproduce.again import run as run_again
    from bench.reproduce.compare import DIFFERENT, compare
    from bench.reproduce.environment import differences
    from bench.reproduce.find import find

    path, then = find(parsed.record, parsed.results)
    with ExitStack() as held:
        into = parsed.keep or Path(held.enter_context(tempfile.TemporaryDirectory(prefix="reproduce-")))
        means = Means(parsed.results, into, data_root(parsed.data_root), parsed.teacher, parsed.device, parsed.threads)
        job = job_of(then, means, command())
        print(f"record       {path}\ncell         {then.cell.dataset} {then.cell.label}", flush=True)
        now = run_again(job)
    if now is None:
        print("interrupted" + ("; the same command continues" if parsed.keep else "; give --keep to continue later"))
        return INTERRUPTED
    comparison = compare(then, now)
    _show(then, now, comparison, differences(then, now))
    return NOT_REPRODUCED if comparison.verdict == DIFFERENT else 0


def _show(then: Record, now: Record, comparison: Comparison, differences: list[str]) -> None:
    from bench.report.figures import percent
    from bench.report.text import plain

    top1 = [percent(record.result.get("top1", {}).get("last")) for record in (then, now)]
    print(f"top-1        {' -> '.join(top1)} %")
    print(f"result       {plain(comparison.why)}")
    fields = {"differing": comparison.differing, "record only": comparison.only_then, "now only": comparison.only_now}
    for heading, names in fields.items():
        if names:
            print(f"{heading:13}{plain(_listed(names))}")
    print(f"environment  {'differs in' if differences else 'nothing differs'}")
    for line in differences:
        print(f"  {plain(line)}")


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _threads(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of threads; write a whole number from 1")
    return int(text)

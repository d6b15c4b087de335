"""`regress METHOD`: is a method worse than its reference or base? Pass, fail, or cannot tell."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.common import add_data_root, add_machine, add_results, command, place
from bench.cli.filters import count, told
from bench.compare.errors import NothingToCompare
from bench.stats import MINIMUM_SEEDS
from bench.sweep.executors import NAMES as EXECUTORS
from bench.sweep.wish import Wish, bits_patterns

if TYPE_CHECKING:
    from bench.compare.baseline import Baseline
    from bench.compare.course import Course
    from bench.compare.speed import Ratio
    from bench.compare.subject import Subject
    from bench.sweep.place import Place

EXIT_CODES = "Exit codes: 0 pass, 1 some cells failed, 2 usage, 3 fail (a regression), 4 cannot tell."


def options(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EXIT_CODES
    parser.add_argument("method", metavar="METHOD", help="e.g. mine, or 'akt form=0'")
    parser.add_argument(
        "--baseline",
        metavar="REF",
        default="",
        help="a reference's file or name, or a method (default: the method's own references, else its base)",
    )
    parser.add_argument(
        "--suite",
        type=Path,
        default=Path("suites/methods.toml"),
        help="cells to compare on, where the baseline is a method (default: suites/methods.toml)",
    )
    parser.add_argument("--dataset", metavar="GLOB", default="*", help="only data sets that match this glob")
    parser.add_argument("--bits", type=told(bits_patterns), default=(), help="only these bit-widths, e.g. W4A4,W3A3")
    parser.add_argument(
        "--seeds", type=count, default=MINIMUM_SEEDS, help=f"seeds a side (default: {MINIMUM_SEEDS}, the fewest)"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a Markdown report, for a pull request")
    parser.add_argument("--dry-run", action="store_true", help="print what would run, and stop")
    parser.add_argument("--stored", action="store_true", help="let stored runs count that older code has made")
    parser.add_argument("--aa", action="store_true", help="train nothing: how often stored runs raise a false alarm")
    parser.add_argument("--speed", action="store_true", help="time and memory against a commit, run in turn now")
    parser.add_argument(
        "--against", metavar="COMMIT", default="", help="of --speed (default: the reference's, or HEAD)"
    )
    parser.add_argument("--rounds", type=count, help="of --aa: splits to try (1000); of --speed: rounds of 4 runs (3)")
    parser.add_argument(
        "--tolerance", type=float, default=5.0, metavar="PERCENT", help="of --speed: what is still good enough (5)"
    )
    parser.add_argument("--executor", choices=EXECUTORS, default="local", help="where cells run (default: local)")
    parser.add_argument("--slots", type=int, help="how many groups of cells run at once (default: as many as fit)")
    add_machine(parser)
    add_results(parser)
    add_data_root(parser)


def run(parsed: argparse.Namespace) -> int:
    if parsed.aa:
        return _alarms(parsed)
    return _speed(parsed) if parsed.speed else _check(parsed)


def _check(parsed: argparse.Namespace) -> int:
    """Run what is missing, then judge."""
    from bench.compare.account import Account, markdown, terminal
    from bench.compare.baseline import baseline
    from bench.compare.filling import fill
    from bench.compare.judgement import exit_code, judge
    from bench.compare.looks import looks_at
    from bench.compare.subject import Subject
    from bench.files import write_text
    from bench.report import table

    subject, where = Subject.of(parsed.method), place(parsed)
    against = baseline(subject, parsed.baseline, parsed.results)
    course = _course(subject, against, parsed, where)
    _show(course, parsed.results)
    if parsed.dry_run:
        return 0
    if any(plan.left for plan in course.plans):
        if code := fill(course.plans, command(), parsed.executor, parsed.slots):
            return code
        table.write(parsed.results)
    judged = judge([stretch.trial() for stretch in course.stretches], lambda t: looks_at(t, subject, parsed.results))
    account = Account(f"{subject.name} {subject.version}", against.why, tuple(judged), course.notes)
    if parsed.report:
        write_text(parsed.report, markdown(account))
    print(terminal(account), end="")
    return exit_code(judged)


def _course(subject: Subject, against: Baseline, parsed: argparse.Namespace, where: Place) -> Course:
    from bench.compare.course import against_method, against_references
    from bench.compare.fresh import Ask
    from bench.suite import read

    ask = Ask(_wish(parsed), parsed.stored)
    if against.method is None:
        return against_references(subject, against.references, ask, where)
    return against_method(subject, against.method, read(parsed.suite), ask, where)


def _wish(parsed: argparse.Namespace) -> Wish:
    return Wish(
        dataset=parsed.dataset,
        bits=parsed.bits,
        seeds=parsed.seeds,
        schedule=parsed.schedule,
        precision=parsed.precision,
    )


def _show(course: Course, results: Path) -> None:
    from bench import records
    from bench.sweep.rates import rates
    from bench.sweep.show import show

    measured = rates(records.load(results), course.plans[0].place.device)
    for plan in course.plans:
        print(show(plan, measured), flush=True)
    for note in course.notes:
        print(note, flush=True)


def _alarms(parsed: argparse.Namespace) -> int:
    """Split stored seeds of the method at random, and count verdicts."""
    from bench.compare.alarms import FEWEST, false_alarms, where
    from bench.compare.choice import Choice, chosen
    from bench.compare.freezing import declared

    choice = Choice(dataset=parsed.dataset, schedule=parsed.schedule or "*", bits=parsed.bits)
    groups = chosen(parsed.results, parsed.method, choice)
    found = 0
    for group in groups:
        margin = declared(group, parsed.results)
        alarms = false_alarms(group, margin, parsed.rounds or 1000)
        found += alarms is not None
        print(alarms or f"{where(group)}: {group.n} seeds, and a split needs {FEWEST}")
    if not found:
        raise NothingToCompare(
            f"no runs of '{parsed.method}' with {FEWEST} seeds; run more: run SUITE --seeds {FEWEST}"
        )
    print(
        "Splits of the same seeds are alike, so that these shares are rough. A check is meant to fail in at most 5 %."
    )
    return 0


def _speed(parsed: argparse.Namespace) -> int:
    """Time and memory of one short cell, at a commit and as the code is now."""
    from bench.compare.baseline import own_references
    from bench.compare.fresh import suite_with
    from bench.compare.league import suite_of
    from bench.compare.speed import commit_beside, frozen_times, ratios, short_of
    from bench.compare.subject import Subject
    from bench.suite import read

    subject, where = Subject.of(parsed.method), place(parsed)
    own = own_references(subject, parsed.results)
    suite = suite_of(own[0], subject, 1) if own else suite_with(read(parsed.suite), subject)
    short = short_of(suite, replace(_wish(parsed), seeds=1, schedule=parsed.schedule or "smoke"), where)
    commit = commit_beside(parsed.against or (own[0].commit if own else "") or "HEAD")
    heading = f"{subject.name} {short}, this code against commit {commit[:12]}"
    print(heading, flush=True)
    found = ratios(short, commit, where, parsed.rounds or 3, lambda line: print(f"  {line}", flush=True))
    return _tell(heading, found, [frozen_times(one) for one in own[:1]], parsed)


def _tell(heading: str, found: Sequence[Ratio], notes: Sequence[str], parsed: argparse.Namespace) -> int:
    from bench.compare.judgement import CANNOT_TELL, PASS, REGRESSION
    from bench.files import write_text

    verdicts = [ratio.verdict(parsed.tolerance / 100) for ratio in found]
    lines = [f"{ratio}: {verdict}" for ratio, verdict in zip(found, verdicts, strict=True)]
    lines += [*notes, f"pass: surely within {parsed.tolerance:g} %. The runs took turns: old, new, new, old."]
    print("\n".join(lines))
    if parsed.report:
        write_text(parsed.report, "\n".join([f"## {heading}", "", *(f"- {line}" for line in lines), ""]))
    return REGRESSION if "fail" in verdicts else CANNOT_TELL if "cannot tell" in verdicts else PASS

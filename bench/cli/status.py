"""`status SUITE`: how every cell of a suite stands, without running anything."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.common import add_data_root, add_machine, add_results, place
from bench.cli.filters import add_filters, wish
from bench.suite import read

if TYPE_CHECKING:
    from bench.runner.progress import Far
    from bench.sweep.plan import Plan, Planned
    from bench.sweep.staleness import History

WORDS = ("ok", "diverged", "skipped", "stale", "running", "failed", "timeout", "oom", "left")
"""How a cell can stand, in the order of the summary. A stale one is done, by code that has changed since."""

Standing = tuple[str, str]
"""One of WORDS, and what else there is to say."""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", type=Path, help="suite file, e.g. suites/cifar10.toml")
    parser.add_argument("--teacher", type=Path, help="weights of the full-precision model, if `run` was given such")
    add_filters(parser)
    add_machine(parser)
    add_results(parser)
    add_data_root(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench import records
    from bench.sweep.plan import make
    from bench.sweep.show import label
    from bench.sweep.staleness import History

    plan = make(read(parsed.suite), wish(parsed), place(parsed), missing_allowed=True)
    history = History(records.load(plan.place.results), plan.place.platform)
    counts: Counter[str] = Counter()
    for planned, (word, told) in _standings(plan, history):
        counts[word] += 1
        print(_line(word, label(planned.cell), planned.id[:16], told))
    for waiting in plan.waiting:
        word = "skipped" if waiting.declined else "left"
        counts[word] += 1
        print(_line(word, label(waiting.cell), "", waiting.declined or f"waits for {' and '.join(waiting.models)}"))
    for model in plan.missing:
        print(model)
    print(f"{counts.total()} cells: {', '.join(f'{counts[word]} {word}' for word in WORDS if counts[word])}")
    return 0


def _line(word: str, name: str, cell_id: str, told: str) -> str:
    head = " ".join(part for part in (f"{word:9}", name, cell_id) if part)
    return f"{head}: {told}" if told else head


def _standings(plan: Plan, history: History) -> Iterator[tuple[Planned, Standing]]:
    """Every cell that has an id, and how it stands."""
    progress = _progress(plan.place.results)
    for planned in plan.cells:
        if planned.done:
            yield planned, _done(planned, history)
        else:
            running = _running(plan.place.results, planned, progress)
            yield planned, ("running", running) if running is not None else _open(planned, history)


def _done(planned: Planned, history: History) -> Standing:
    """How a finished cell stands: with its status, unless its code has changed since."""
    from bench.sweep.staleness import changed_code

    record = history.of(planned)
    changed = changed_code(record) if record and not planned.declined else None
    if changed:
        return "stale", f"{planned.status}; code changed: {', '.join(changed)}"
    return planned.status, _short(planned.why)


def _open(planned: Planned, history: History) -> Standing:
    """How a cell stands that is neither done nor running."""
    if planned.status == "left":
        return "left", _short(planned.why) or history.replaced(planned) or ""
    return planned.status, _short(planned.why)


def _running(results: Path, planned: Planned, progress: Mapping[str, Far]) -> str | None:
    """How far the live process is that holds a cell, or None where there is none."""
    from bench.locks import owner
    from bench.runner.job import lock_of

    if owner(lock_of(results, planned.path)) is None:
        return None
    far = progress.get(planned.id)
    return f"step {far.done} of {far.total}" if far else ""


def _progress(results: Path) -> dict[str, Far]:
    """What running groups tell of themselves, by cell id."""
    from bench.runner.progress import read as read_progress

    found = map(read_progress, sorted((results / ".work" / "running").glob("*.json")))
    return {cell_id: far for far in found if far for cell_id in far.ids}


def _short(reason: str | None) -> str:
    """The last line of a reason, which of a traceback is the error itself."""
    lines = (reason or "").strip().splitlines()
    return lines[-1].strip() if lines else ""

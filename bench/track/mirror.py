"""Bringing MLflow in line with the records on disk."""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import Busy, RecordInvalid
from bench.locks import Lock, hold
from bench.measure.measurement import Measurement
from bench.records import read
from bench.track.connection import address, artifact_root, connected
from bench.track.index import key
from bench.track.sources import Shelf, Sources
from bench.track.view import View, label, view
from bench.track.writer import Writer


@dataclass(frozen=True)
class Synced:
    """What a sync did, in records.

    Attributes:
        added: shown now and not before. updated: shown before, but otherwise or only half. unchanged: skipped.
        left: to another process that was syncing at the time, or that took over.
        problems: one line for each record that cannot be read or shown, and each measurement that a changed run misses.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    left: int = 0
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        left = f", {self.left} left to another process" if self.left else ""
        counts = f"{self.added} runs added, {self.updated} updated, {self.unchanged} unchanged{left}"
        return "\n".join([counts, *self.problems])


def sync(results: Path, uri: str | None = None) -> Synced:
    """Make MLflow show every record under a results folder; runs that no record here belongs to stay as they are.

    It can be called at any time, also while cells run, and by several processes at once, of which one writes.

    Args:
        uri: tracking server or database; else `$MLFLOW_TRACKING_URI`, else `<results>/mlflow.db`.

    Raises:
        TrackingUnavailable: if MLflow cannot be reached or fails; what is in stays, a later sync brings the rest.
        ResultsUnwritable: if the results folder cannot be locked.
    """
    results = results.resolve()
    files = _files(results)
    if not files:
        return Synced()
    try:
        with hold(results / ".sync.lock") as lock:
            return _fill(results, files, address(results, uri), lock)
    except Busy:
        return Synced(left=len(files))


def _files(results: Path) -> list[Path]:
    """Every file that should hold a record."""
    return sorted(path for path in (results / "records").rglob("*.json") if not path.name.startswith("."))


def _fill(results: Path, files: list[Path], uri: str, lock: Lock) -> Synced:
    """Write what is missing, as long as the lock is ours."""
    done: Counter[str] = Counter()
    with connected(uri, results) as client, _few_collections():
        shown = _Shown(Writer(client, results, artifact_root(results, uri)), Shelf(results))
        for count, file in enumerate(files):
            if not lock.mine():
                return Synced(**done, left=len(files) - count, problems=tuple(shown.problems))
            try:
                done[shown.show(file)] += 1
            except RecordInvalid as error:
                shown.problems.append(str(error))
        shown.writer.close()
    return Synced(**done, problems=tuple(shown.problems))


@contextlib.contextmanager
def _few_collections() -> Iterator[None]:
    """Look for garbage seldom: with thousands of metrics alive, looking takes a quarter of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class _Shown:
    """Which cells were shown so far; a record that is shown as it is costs no more than the sha256 of its files.

    Attributes:
        problems: one line for each record and each measurement that cannot be read or shown.
    """

    def __init__(self, writer: Writer, shelf: Shelf) -> None:
        self.writer, self.shelf = writer, shelf
        self.keys: set[tuple[str, str]] = set()
        self.problems: list[str] = []

    def show(self, file: Path) -> str:
        """Show the record in a file; `added`, `updated` or `unchanged`.

        Raises:
            RecordInvalid: if it is none, holds values that no run can show, or is another file's record again.
        """
        sources = self.shelf.sources(file)
        if run := self.writer.index.current(sources.fingerprint):
            return self.writer.keep(run, self._first(key(run)))
        found = sources.measured()
        self.problems += [str(each) for each in found if isinstance(each, RecordInvalid)]
        view = _view(sources, [each for each in found if isinstance(each, Measurement)])
        self._first(view.key)
        return self.writer.write(view, sources)

    def _first(self, found: tuple[str, str]) -> tuple[str, str]:
        """The key, unless it was there already."""
        if found in self.keys:
            raise RecordInvalid(f"record {label(found)}: there twice; only the first file is shown, delete the other")
        self.keys.add(found)
        return found


def _view(sources: Sources, measurements: list[Measurement]) -> View:
    """The view of a record and of those measurements that are of its model.

    Raises:
        RecordInvalid: if it is not a record or holds values that no run can show.
    """
    record = read(sources.record)
    try:
        own = record.result.get("weights")
        return view(record, sources.fingerprint, [m for m in measurements if m.model == own])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        name = label((record.id, record.platform))
        raise RecordInvalid(f"record {name}: cannot be shown in MLflow ({reason})") from error

"""Bringing MLflow in line with the records on disk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.errors import Busy, RecordInvalid
from bench.locks import Lock, hold
from bench.records import Record, scan
from bench.track.connection import address, artifact_root, connected
from bench.track.view import View, view
from bench.track.writer import Writer


@dataclass(frozen=True)
class Synced:
    """What a sync did, in records.

    Attributes:
        added: shown now and not before. updated: shown before, but otherwise or only half. unchanged: skipped.
        left: to another process that was syncing at the time, or that took over.
        problems: one line for each record that cannot be read or shown.
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

    Args:
        uri: tracking server or database; else `$MLFLOW_TRACKING_URI`, else `<results>/mlflow.db`.

    Raises:
        TrackingUnavailable: if MLflow cannot be reached or fails; what is in stays, a later sync brings the rest.
        ResultsUnwritable: if the results folder cannot be locked.
    """
    results = results.resolve()
    if not (results / "records").is_dir():
        return Synced()
    try:
        with hold(results / ".sync.lock") as lock:
            return _fill(results, address(results, uri), lock)
    except Busy:
        views, problems = _views(results)
        return Synced(left=len(views), problems=tuple(problems))


def _fill(results: Path, uri: str, lock: Lock) -> Synced:
    """Write what is missing, as long as the lock is ours."""
    views, problems = _views(results)
    if not views:
        return Synced(problems=tuple(problems))
    done: Counter[str] = Counter()
    with connected(uri, results) as client:
        writer = Writer(client, results, artifact_root(results, uri), views)
        for count, each in enumerate(views):
            if not lock.mine():
                return Synced(**done, left=len(views) - count, problems=tuple(problems))
            try:
                done[writer.write(each)] += 1
            except RecordInvalid as error:
                problems.append(str(error))
        writer.close()
    return Synced(**done, problems=tuple(problems))


def _views(results: Path) -> tuple[list[View], list[str]]:
    """Every record that can be shown, and one line for each that cannot."""
    views: dict[tuple[str, str], View] = {}
    problems = []
    for found in scan(results):
        try:
            each = _view(found)
        except RecordInvalid as error:
            problems.append(str(error))
            continue
        if views.setdefault(each.key, each) is not each:
            problems.append(f"record {each.label}: there twice; only the first file is shown, delete the other")
    return list(views.values()), problems


def _view(found: Record | RecordInvalid) -> View:
    """The view of what a scan found.

    Raises:
        RecordInvalid: if it is not a record or holds values that no run can show.
    """
    if isinstance(found, RecordInvalid):
        raise found
    try:
        return view(found)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise RecordInvalid(f"record {found.id[:16]}@{found.platform}: cannot be shown in MLflow ({reason})") from error

"""What MLflow holds already: parent runs of sweeps, and runs of cells."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from bench.track.view import CELL, PLATFORM, RECORD, SWEEP

if TYPE_CHECKING:
    from mlflow.entities import Run

PARENT = "mlflow.parentRunId"

UNFINISHED = "RUNNING"
"""Status of a run that is being written, or was left half-written."""

PAGE = 200
"""Runs a request: a busy server takes long over many."""


class Index:
    """The runs of this project on one server.

    Attributes:
        cells: runs of each cell and platform; more than one only after an interruption.
        records: finished runs by the record's fingerprint.
        parents: run of each sweep. children: number of runs under each parent's run id.
    """

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], list[Run]] = defaultdict(list)
        self.records: dict[str, list[Run]] = defaultdict(list)
        self.parents: dict[str, Run] = {}
        self.children: Counter[str] = Counter()

    def add(self, runs: Iterable[Run]) -> None:
        """Sort runs into those of cells and those of sweeps."""
        for run in runs:
            tags = run.data.tags
            if CELL in tags:
                self.cells[key(run)].append(run)
                self.children[tags.get(PARENT, "")] += 1
                if RECORD in tags and run.info.status != UNFINISHED:
                    self.records[tags[RECORD]].append(run)
            elif SWEEP in tags:
                self.parents[tags[SWEEP]] = run

    def current(self, fingerprint: str) -> Run | None:
        """The finished run that shows exactly this record under its sweep, if there is one."""
        for run in self.records.get(fingerprint, ()):
            parent = self.parents.get(run.data.tags.get(SWEEP, ""))
            if parent is not None and parent.info.run_id == run.data.tags.get(PARENT):
                return run
        return None


def key(run: Run) -> tuple[str, str]:
    """The cell and platform that a run shows, as `View.key`."""
    return run.data.tags[CELL], run.data.tags.get(PLATFORM, "")


def pages(search: Callable[..., Any], **arguments: Any) -> Iterator[Any]:
    """All results of a paginated search, asked for page by page."""
    token = None
    while token != "":
        page = search(**arguments, max_results=PAGE, page_token=token)
        yield from page
        token = page.token or ""

"""What MLflow holds already: parent runs of sweeps, and runs of cells."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.track.view import CELL, PLATFORM, RECORD, SWEEP, View

if TYPE_CHECKING:
    from mlflow.entities import Run

COMPLETE = "bench.complete"
"""Tag that is set last, so that a run without it was left half-written."""

PARENT = "mlflow.parentRunId"

PAGE = 1000


@dataclass
class Index:
    """The runs of this project on one server.

    Attributes:
        cells: runs of each cell and platform; more than one only after an interruption.
        parents: run of each sweep. children: number of runs under each parent's run id.
    """

    cells: dict[tuple[str, str], list[Run]] = field(default_factory=lambda: defaultdict(list))
    parents: dict[str, Run] = field(default_factory=dict)
    children: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, runs: Iterable[Run]) -> Index:
        """Sort runs into those of cells and those of sweeps."""
        index = cls()
        for run in runs:
            tags = run.data.tags
            if CELL in tags:
                index.cells[tags[CELL], tags.get(PLATFORM, "")].append(run)
                index.children[tags.get(PARENT, "")] += 1
            elif SWEEP in tags:
                index.parents[tags[SWEEP]] = run
        return index

    def current(self, view: View) -> Run | None:
        """The complete run that shows exactly this record under its sweep, if there is one."""
        parent = self.parents.get(view.sweep)
        wanted = {COMPLETE: "true", RECORD: view.tags[RECORD], PARENT: parent.info.run_id if parent else ""}
        return next((run for run in self.cells.get(view.key, []) if wanted.items() <= run.data.tags.items()), None)


def pages(search: Callable[..., Any], **arguments: Any) -> Iterator[Any]:
    """All results of a paginated search, asked for page by page."""
    token = None
    while token != "":
        page = search(**arguments, max_results=PAGE, page_token=token)
        yield from page
        token = page.token or ""

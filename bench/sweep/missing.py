"""Full-precision models that are not there yet, and the cells that wait for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import ModelMissing
from bench.method import settled
from bench.models.teachers import command, find
from bench.registry import get
from bench.spec import Cell
from bench.suite import Point
from bench.sweep.cells import cell_of, unfit


@dataclass(frozen=True)
class Waiting:
    """A cell that has no id yet, as full-precision models are missing: `models`, by name.

    Its `init` and `tutor` are empty. `declined` says why it could not run with them either.
    """

    cell: Cell
    models: tuple[str, ...]
    declined: str | None = None


@dataclass(frozen=True)
class Missing:
    """A full-precision model that is not there, and how many cells wait for it."""

    dataset: str
    model: str
    cells: int

    @property
    def command(self) -> str:
        """What makes it."""
        return command(self.dataset, self.model)

    def __str__(self) -> str:
        return f"first: {self.command} ({self.cells} {'cell waits' if self.cells == 1 else 'cells wait'} for it)"


def waiting(point: Point, results: Path, file: Path | None) -> Waiting | None:
    """The cell of a point that has to wait for full-precision models, or None where all that it needs are there.

    Args:
        results: folder that models are kept in. file: a user's weights in place of the one that cells start from.
    """
    method = get(point.method)
    card = settled(method, point.options)
    init = point.model if card.quantizes and not file else ""
    tutor = card.tutor if not (file and card.tutor == point.model) else ""
    lacking = [model for model in dict.fromkeys((init, tutor)) if model and not _stored(results, point.dataset, model)]
    if not lacking:
        return None
    cell = cell_of(point, method, None, None)
    return Waiting(cell, tuple(lacking), unfit(cell, card, None, None) or method.declines(cell))


def missing_of(found: Iterable[Waiting]) -> list[Missing]:
    """The models that cells wait for which could run with them."""
    counts = Counter((w.cell.dataset, model) for w in found if not w.declined for model in w.models)
    return [Missing(dataset, model, cells) for (dataset, model), cells in counts.items()]


def _stored(results: Path, dataset: str, model: str) -> bool:
    try:
        return bool(find(results, dataset, model))
    except ModelMissing:
        return False

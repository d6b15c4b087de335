"""The plan of a sweep: every cell of a suite with its id, what is done already, and the groups that are left."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bench import records
from bench.data import Dataset, describe
from bench.errors import BenchError, RecordInvalid
from bench.method import settled, version_of
from bench.models.teachers import Teacher, find, from_file
from bench.registry import get
from bench.schedule import Schedule
from bench.spec import Cell, group_key, identity
from bench.suite import Point, Suite
from bench.sweep.cells import cell_of, unfit
from bench.sweep.missing import Missing, Waiting, missing_of, waiting
from bench.sweep.place import Place
from bench.sweep.wish import Wish, wished


@dataclass(frozen=True)
class Planned:
    """A cell with everything that is known before it runs.

    Attributes:
        version, fingerprint: of the method as its options make it, and of the data set; both are part of the id.
        path: of its record. recorded: the record's status, or None where there is none that can be read.
        reason: the record's, or why it cannot be read. declined: why the cell cannot run.
    """

    cell: Cell
    id: str
    version: str
    fingerprint: str
    schedule: Schedule
    path: Path
    recorded: str | None = None
    reason: str | None = None
    declined: str | None = None

    @property
    def unrecorded(self) -> bool:
        """Whether it is declined and no record says so yet."""
        return self.declined is not None and self.recorded not in records.FINAL

    @property
    def status(self) -> str:
        """`skipped` where it is declined, else the status of its record, else `left`."""
        return "skipped" if self.unrecorded else self.recorded or "left"

    @property
    def why(self) -> str | None:
        """The reason of its status."""
        return self.declined if self.unrecorded else self.reason

    @property
    def done(self) -> bool:
        """Whether there is nothing left to try; cells that failed are tried again."""
        return self.status in records.FINAL


@dataclass
class Plan:
    """Cells in the suite's order, those that wait for models, and the teachers that cells name."""

    suite: str
    place: Place
    cells: list[Planned] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    teachers: dict[str, Teacher] = field(default_factory=dict)

    @property
    def left(self) -> list[Planned]:
        return [planned for planned in self.cells if not planned.done]

    @property
    def unrecorded(self) -> list[Planned]:
        """Declined cells that no record tells of yet."""
        return [planned for planned in self.cells if planned.unrecorded]

    @property
    def missing(self) -> list[Missing]:
        """What has to be trained first."""
        return missing_of(self.waiting)

    def groups(self) -> list[list[Planned]]:
        """Cells that are left, together where they can share one source; large groups first, lest one end alone."""
        found: dict[str, list[Planned]] = {}
        for planned in self.left:
            shares = not settled(get(planned.cell.method), planned.cell.options).feedback
            found.setdefault(group_key(planned.cell) if shares else planned.id, []).append(planned)
        return sorted(found.values(), key=len, reverse=True)


def make(suite: Suite, wish: Wish, place: Place, *, missing_allowed: bool = False) -> Plan:
    """Plan a suite.

    Args:
        missing_allowed: let cells wait for full-precision models that are missing; otherwise that is an error.

    Raises:
        BenchError: for what is missing or unknown, before anything runs: data, models, methods, options.
    """
    plan = Plan(suite.name, place)
    datasets: dict[str, Dataset] = {}
    for point in wished(suite, wish, place.device):
        if point.dataset not in datasets:
            datasets[point.dataset] = describe(point.dataset, place.data_root)
        waits = waiting(point, place.results, place.teacher)
        if waits and (missing_allowed or waits.declined):
            plan.waiting.append(waits)
        else:
            plan.cells.append(_planned(plan, point, datasets[point.dataset]))
    if not plan.cells and not plan.waiting:
        filters = "--method, --dataset, --bits, --seed"
        raise BenchError(f"no cell of suite '{suite.name}' matches; drop a filter ({filters})")
    return plan


def _planned(plan: Plan, point: Point, dataset: Dataset) -> Planned:
    """The cell of a point with its id, settled schedule and what its record says, if it has one."""
    place, method = plan.place, get(point.method)
    card = settled(method, point.options)
    init = _teacher(plan, dataset, point.model, place.teacher) if card.quantizes else None
    tutor = _teacher(plan, dataset, card.tutor) if card.tutor else init
    cell = cell_of(point, method, init, tutor)
    version = version_of(method, cell.options)
    cell_id = identity(cell, version, dataset.fingerprint)
    path = records.path_of(place.results, cell.dataset, cell.method, cell_id, place.platform)
    schedule = card.schedule.named(cell.schedule).sized(dataset.sizes["train"])
    declined = unfit(cell, card, init, tutor) or method.declines(cell)
    return Planned(cell, cell_id, version, dataset.fingerprint, schedule, path, *_recorded(path), declined)


def _teacher(plan: Plan, dataset: Dataset, model: str, file: Path | None = None) -> Teacher:
    known = [t for t in plan.teachers.values() if (t.card.dataset, t.card.model) == (dataset.name, model)]
    if known:
        return known[0]
    found = from_file(file, dataset, model) if file else find(plan.place.results, dataset.name, model)
    plan.teachers[found.card.sha256] = found
    return found


def _recorded(path: Path) -> tuple[str | None, str | None]:
    """Status and reason of a record; where it cannot be read, no status, and why."""
    try:
        record = records.read(path) if path.is_file() else None
    except RecordInvalid as error:
        return None, str(error)
    return (record.status, record.reason) if record else (None, None)

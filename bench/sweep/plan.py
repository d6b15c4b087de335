"""The plan of a sweep: every cell of a suite with its id, what is done already, and the groups that are left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from bench import records
from bench.data import Dataset, describe
from bench.errors import BenchError, RecordInvalid
from bench.measure.environment import platform
from bench.method import Card, Method, options_of, settled, version_of
from bench.models.teachers import Teacher, find, from_file
from bench.registry import get
from bench.schedule import Schedule
from bench.spec import Bits, Cell, group_key, identity
from bench.suite import AUTO, Point, Suite


@dataclass(frozen=True)
class Wish:
    """What the command line changes in a suite.

    Attributes:
        method, dataset: globs. bits: only these widths. seeds: seeds 0 .. seeds-1 in place of the suite's.
        schedule, precision: in place of the suite's.
    """

    method: str = "*"
    dataset: str = "*"
    bits: tuple[Bits, ...] = ()
    seeds: int | None = None
    schedule: str | None = None
    precision: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a sweep runs and keeps its results.

    Attributes:
        results, data_root: folders. device: `cpu` or `cuda`. threads: a cell's. teacher: a user's weights file.
    """

    results: Path
    data_root: Path
    device: str
    threads: int
    teacher: Path | None = None

    @property
    def platform(self) -> str:
        return platform(self.device, self.threads)


@dataclass(frozen=True)
class Planned:
    """A cell with everything that is known before it runs."""

    cell: Cell
    id: str
    schedule: Schedule
    path: Path
    status: str
    """`left`, or the status of its record: `ok`, `diverged` and `skipped` are done, the others are tried again."""

    @property
    def done(self) -> bool:
        return self.status in ("ok", "diverged", "skipped")


@dataclass
class Plan:
    """Cells in the suite's order, the teachers that they name, and why some cannot run."""

    suite: str
    place: Place
    cells: list[Planned] = field(default_factory=list)
    teachers: dict[str, Teacher] = field(default_factory=dict)
    declined: list[str] = field(default_factory=list)

    @property
    def left(self) -> list[Planned]:
        return [planned for planned in self.cells if not planned.done]

    def groups(self) -> list[list[Planned]]:
        """Cells that are left, together where they can share one source."""
        found: dict[str, list[Planned]] = {}
        for planned in self.left:
            shares = not settled(get(planned.cell.method), planned.cell.options).feedback
            found.setdefault(group_key(planned.cell) if shares else planned.id, []).append(planned)
        return list(found.values())


def make(suite: Suite, wish: Wish, place: Place) -> Plan:
    """Plan a suite.

    Raises:
        BenchError: for what is missing or unknown, before anything runs: data, models, methods, options.
    """
    plan = Plan(suite.name, place)
    datasets: dict[str, Dataset] = {}
    for point in wished(suite, wish, place):
        if point.dataset not in datasets:
            datasets[point.dataset] = describe(point.dataset, place.data_root)
        _add(plan, point, datasets[point.dataset])
    if not plan.cells and not plan.declined:
        raise BenchError(f"no cell of suite '{suite.name}' matches; drop a filter (--method, --dataset, --bits)")
    return plan


def wished(suite: Suite, wish: Wish, place: Place) -> Iterable[Point]:
    """The points of a suite that a wish leaves."""
    default = "quick" if place.device == "cuda" else "smoke"
    axes = dict(suite.axes)
    axes |= {"seed": list(range(wish.seeds))} if wish.seeds else {}
    axes |= {"schedule": [wish.schedule]} if wish.schedule else {}
    axes |= {"precision": [wish.precision]} if wish.precision else {}
    axes["schedule"] = list(dict.fromkeys(default if name == AUTO else name for name in axes["schedule"]))
    for point in replace(suite, axes=axes).points():
        named = fnmatchcase(point.method, wish.method) and fnmatchcase(point.dataset, wish.dataset)
        if named and (not wish.bits or point.bits in wish.bits):
            yield point


def _add(plan: Plan, point: Point, dataset: Dataset) -> None:
    method = get(point.method)
    card = settled(method, point.options)
    init = _teacher(plan, dataset, point.model, plan.place.teacher) if card.quantizes else None
    tutor = _teacher(plan, dataset, card.tutor) if card.tutor else init
    cell = cell_of(point, method, init, tutor)
    if reason := _unfit(cell, card, init, tutor) or method.declines(cell):
        plan.declined.append(f"{cell.label}: {reason}")
    else:
        plan.cells.append(planned(cell, method, dataset, plan.place))


def _unfit(cell: Cell, card: Card, init: Teacher | None, tutor: Teacher | None) -> str | None:
    """Why a cell makes no sense whatever its method says, or None."""
    if card.quantizes and cell.bits.full and not card.full:
        return f"{card.name} quantizes, and {cell.bits} leaves nothing to quantize; give W2A2 to W8A8"
    if init and tutor and (init.card.mean, init.card.std) != (tutor.card.mean, tutor.card.std):
        return f"tutor {tutor.card.model} and init {init.card.model} normalise images differently; train both alike"
    return None


def _teacher(plan: Plan, dataset: Dataset, model: str, file: Path | None = None) -> Teacher:
    known = [t for t in plan.teachers.values() if (t.card.dataset, t.card.model) == (dataset.name, model)]
    if known:
        return known[0]
    found = from_file(file, dataset, model) if file else find(plan.place.results, dataset.name, model)
    plan.teachers[found.card.sha256] = found
    return found


def cell_of(point: Point, method: Method, init: Teacher | None, tutor: Teacher | None) -> Cell:
    """The cell of a point: options completed with their defaults, models named by sha256."""
    options = options_of(method.card, point.options)
    return Cell(
        dataset=point.dataset,
        model=point.model,
        method=point.method,
        bits=point.bits,
        schedule=point.schedule,
        seed=point.seed,
        precision=point.precision,
        options=asdict(options) if options is not None else {},
        init=init.card.sha256 if init else "",
        tutor=tutor.card.sha256 if tutor else "",
    )


def planned(cell: Cell, method: Method, dataset: Dataset, place: Place) -> Planned:
    """A cell with its id, settled schedule and what its record says, if it has one."""
    cell_id = identity(cell, version_of(method, cell.options), dataset.fingerprint)
    path = records.path_of(place.results, cell.dataset, cell.method, cell_id, place.platform)
    schedule = settled(method, cell.options).schedule.named(cell.schedule).sized(dataset.sizes["train"])
    return Planned(cell, cell_id, schedule, path, _status(path))


def _status(path: Path) -> str:
    try:
        return records.read(path).status if path.is_file() else "left"
    except RecordInvalid:
        return "left"


def rates(found: Iterable[records.Record], device: str) -> Mapping[tuple[str, str], float]:
    """Measured seconds a step of whole cells by method and precision, the fastest seen on this kind of device."""
    best: dict[tuple[str, str], float] = {}
    for record in found:
        steps = record.result.get("steps")
        if record.ok and steps and record.platform.startswith("cpu") == (device == "cpu"):
            spent = record.run["seconds"]
            key = (record.spec["method"], record.spec["precision"])
            rate = (spent["draw"] / record.run["shared"] + spent["learn"] + spent["evaluate"]) / steps
            best[key] = min(rate, best.get(key, rate))
    return best

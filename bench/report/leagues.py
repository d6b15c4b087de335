"""Leagues: which records may stand beside each other, in which order, and which are seeds of one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.files import canonical_json
from bench.records import Record
from bench.report.text import narrow, plain, short
from bench.schedule import NAMES as SCHEDULES
from bench.spec import ASYMMETRIC, PRECISIONS, Bits, Cell

_ACCESS = ("none", "calibration", "train")
READING = " (reading)"


@dataclass(frozen=True)
class Board:
    """What one table holds: cells that differ in bits, method, options, seed and platform alone.

    Attributes:
        dataset, model, schedule, precision: as in the cell. stand_in: whether the data are procedural.
        init: sha256 of the full-precision model. fingerprint, images: of the test data.
    """

    dataset: str
    stand_in: bool
    model: str
    schedule: str
    precision: str
    init: str
    fingerprint: str
    images: int

    @property
    def key(self) -> str:
        """A short name that no other board has."""
        parts = [self.dataset, self.model, self.schedule, self.precision, short(self.init), short(self.fingerprint)]
        return "-".join(parts)

    @property
    def order(self) -> tuple[Any, ...]:
        """Where the table stands: real data first, published schedule first."""
        kind = _place(SCHEDULES, self.schedule), _place(PRECISIONS, self.precision)
        return self.stand_in, self.dataset, self.model, *kind, self.init, self.fingerprint, self.images


@dataclass(frozen=True)
class League:
    """Within what rows rank: a table's rows of equal bits, data access and quantizer class."""

    board: Board
    bits: Bits
    access: str
    quantizer: str

    @property
    def order(self) -> tuple[Any, ...]:
        """Where the league stands: low bits first, data-free first."""
        return *self.board.order, self.bits, place_of_access(self.access), self.quantizer


@dataclass(frozen=True)
class Entry:
    """What the seeds of one row share.

    Attributes:
        options: canonical JSON of all of them. tutor: sha256. version: the method's composed version.
        label: the method with the options that are not its defaults. changed: those options, each as `name=value`.
    """

    league: League
    method: str
    options: str
    tutor: str
    version: str
    platform: str
    label: str = field(compare=False)
    changed: tuple[str, ...] = field(compare=False, default=())

    @classmethod
    def of(cls, record: Record) -> Entry:
        """The entry of a record."""
        cell, about = record.cell, record.method
        options, version = canonical_json(cell.options), plain(about.get("version", ""))
        defaults = about.get("defaults", {})
        changed, label = tuple(cell.changed(defaults)), label_of(cell, defaults, reading=bool(about.get("reading")))
        return cls(_league(record), cell.method, options, cell.tutor, version, plain(record.platform), label, changed)

    @property
    def at_defaults(self) -> bool:
        """Whether the method is as it comes: no option changed, no tutor of its own."""
        return self.label in (self.method, f"{self.method}{READING}")

    @property
    def base_version(self) -> str:
        """Version of the method that this one is built on, as its own composes with it; empty for none."""
        return self.version.partition("+")[2]

    @property
    def versioned_label(self) -> str:
        """The label that tells apart versions of a method."""
        return narrow(f"{self.label} version={self.version}")

    @property
    def long_label(self) -> str:
        """The label that tells apart whatever else is unlike."""
        return narrow(f"{self.versioned_label} options={self.options} tutor={short(self.tutor)}")


def label_of(cell: Cell, defaults: Mapping[str, Any], reading: bool = False) -> str:
    """A method with what is not its default, e.g. `gdfq temperature=10.0`; a tutor shows if it is not the init.

    A method that is a reading of its paper, not a replication, is called one.
    """
    tutor = [f"tutor={short(cell.tutor)}"] if cell.tutor and cell.tutor != cell.init else []
    named = f"{cell.method}{READING}" if reading else cell.method
    return narrow(" ".join([named, *cell.changed(defaults), *tutor]))


def _league(record: Record) -> League:
    cell, data, about = record.cell, record.data, record.method
    board = Board(
        dataset=cell.dataset,
        stand_in=bool(data.get("stand_in", False)),
        model=cell.model,
        schedule=cell.schedule,
        precision=cell.precision,
        init=cell.init,
        fingerprint=data["fingerprint"],
        images=data["images"],
    )
    return League(board, cell.bits, narrow(about.get("data", "none")), plain(about.get("quantizer", ASYMMETRIC)))


def place_of_access(access: str) -> tuple[int, str]:
    """Sort key of data access: data-free first."""
    return _place(_ACCESS, access)


def _place(known: Sequence[str], name: str) -> tuple[int, str]:
    """Sort key: known names in their order, then others by name."""
    return (known.index(name) if name in known else len(known)), name

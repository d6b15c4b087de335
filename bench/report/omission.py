"""What a table leaves out, and why: cells without a result, records that cannot be used, other provenances."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import RecordInvalid
from bench.records import Record
from bench.report.leagues import Entry, label_of
from bench.report.outcome import require_comparable
from bench.report.text import clipped, plain


@dataclass(frozen=True)
class WhyNot:
    """Cells that differ in seed alone and ended alike without a result.

    Attributes:
        entry: what row their results would have gone to; None where the record does not tell.
    """

    dataset: str
    cell: str
    platform: str
    status: str
    reason: str
    seeds: tuple[int, ...]
    entry: Entry | None = None

    @classmethod
    def of(cls, record: Record) -> WhyNot:
        """The one cell of a record that is not ok."""
        cell = record.cell
        bits = "full precision" if cell.bits.full else str(cell.bits)
        label = label_of(cell, record.method.get("defaults", {}), reading=bool(record.method.get("reading")))
        name = f"{cell.model} · {cell.schedule} · {cell.precision} · {bits} · {label}"
        reason = clipped(record.reason or "no reason recorded")
        return cls(cell.dataset, name, plain(record.platform), record.status, reason, (cell.seed,), _entry(record))

    def __str__(self) -> str:
        seeds = f"seed{'s' if len(self.seeds) > 1 else ''} {', '.join(map(str, self.seeds))}"
        return f"{self.dataset} · {self.cell} · {seeds} · {self.platform}: {self.status}: {self.reason}"


@dataclass(frozen=True, order=True)
class Unusable:
    """A record file that was left out. `dataset` is the folder it lies in, empty if none; `path` is below results."""

    dataset: str
    path: str
    reason: str

    @classmethod
    def of(cls, path: Path, results: Path, error: RecordInvalid) -> Unusable:
        """The file at `path`, told independently of where the results folder lies."""
        below = path.relative_to(results)
        reason = str(error).removeprefix(f"{path}: ").replace(str(path), below.as_posix())
        return cls(plain(below.parts[1]) if len(below.parts) > 2 else "", plain(below.as_posix()), clipped(reason))

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, order=True)
class Unranked:
    """How many records of a data set have a provenance other than `measured`."""

    dataset: str
    provenance: str
    count: int

    def __str__(self) -> str:
        return f"{self.dataset}: {self.count} of provenance {self.provenance}: only measured records rank"


def _entry(record: Record) -> Entry | None:
    try:
        require_comparable(record)
    except RecordInvalid:
        return None
    return Entry.of(record)


def joined(cells: Iterable[WhyNot]) -> tuple[WhyNot, ...]:
    """The same, with cells that differ in seed alone as one, in order."""
    seeds: dict[WhyNot, set[int]] = {}
    for cell in cells:
        seeds.setdefault(replace(cell, seeds=()), set()).update(cell.seeds)
    whole = [replace(cell, seeds=tuple(sorted(found))) for cell, found in seeds.items()]
    return tuple(sorted(whole, key=lambda w: (w.dataset, w.cell, w.platform, w.status, w.reason)))

"""Runs: finished, measured cells as comparisons see them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.errors import RecordInvalid
from bench.records import Record, read
from bench.report.leagues import Entry
from bench.report.omission import Unusable
from bench.report.outcome import Outcome, require_comparable, require_shape
from bench.report.text import narrow


@dataclass(frozen=True)
class Run:
    """One trained student.

    Attributes:
        entry: what its league and its other seeds share with it. last: top-1 after the last epoch, a share in [0, 1].
    """

    record: Record
    entry: Entry
    last: float

    @property
    def seed(self) -> int:
        return self.record.cell.seed

    @property
    def digest(self) -> str:
        """sha256 of the whole result."""
        return str(self.record.result["digest"])

    @cached_property
    def name(self) -> str:
        """The method with the options that are not its defaults, as a person types it, e.g. `akt form=0`."""
        cell = self.record.cell
        return narrow(" ".join([cell.method, *cell.changed(self.record.method.get("defaults", {}))]))

    @classmethod
    def of(cls, record: Record) -> Run | None:
        """The run of a record, or None where it is no finished, measured, quantized cell.

        Raises:
            RecordInvalid: if it is one, but cannot stand beside others.
        """
        require_shape(record)
        if record.provenance != "measured" or not record.ok or not record.cell.init:
            return None
        require_comparable(record)
        return cls(record, Entry.of(record), Outcome.of(record).last)


@dataclass(frozen=True)
class Runs:
    """All runs of a results folder in path order, and why what else lies there cannot be used."""

    found: tuple[Run, ...]
    unusable: tuple[str, ...]


def load(results: Path) -> Runs:
    """The runs of a results folder; of two files of one cell on one platform the first counts."""
    found: dict[tuple[str, str], Run] = {}
    unusable: list[str] = []
    for path in sorted((results / "records").rglob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            if run := Run.of(read(path)):
                found.setdefault((run.record.id, run.record.platform), run)
        except RecordInvalid as error:
            unusable.append(str(Unusable.of(path, results, error)))
    return Runs(tuple(found.values()), tuple(unusable))

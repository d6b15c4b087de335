"""The records behind a report's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import records
from bench.errors import RecordInvalid
from bench.records import Record
from bench.report.leagues import Entry
from bench.report.outcome import require_comparable, require_data, require_shape
from bench.report.rows import Row


@dataclass(frozen=True)
class Source:
    """A record that a number came from. `path` is that of its file below the results folder, with slashes."""

    path: str
    record: Record


class Sources:
    """The records of a results folder by row and seed."""

    def __init__(self, results: Path) -> None:
        self._found: dict[tuple[Entry, int], Source] = {}
        self._made: dict[str, Source] = {}
        for source in _read(results):
            self._found.setdefault((Entry.of(source.record), source.record.cell.seed), source)
            if source.record.provenance == "measured":
                self._made.setdefault(str(source.record.result.get("weights")), source)

    def find(self, entry: Entry, seed: int) -> Source:
        """The record of one cell that the report has taken in."""
        return self._found[entry, seed]

    def maker(self, model: str) -> Source | None:
        """The record of the cell that trained a model, given by sha256, if it was trained here."""
        return self._made.get(model)

    def of(self, row: Row) -> list[Source]:
        """The records of a row, one a seed, by seed."""
        return [self.find(row.entry, outcome.seed) for outcome in row.outcomes]


def _read(results: Path) -> Iterator[Source]:
    """Every record that can stand in a row, in path order; the report names the others."""
    for path in sorted((results / "records").rglob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            record = records.read(path)
            require_shape(record)
            if record.provenance == "measured":
                require_comparable(record)
            else:
                require_data(record, counted=False)
        except RecordInvalid:
            continue
        yield Source(path.relative_to(results).as_posix(), record)

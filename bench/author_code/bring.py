"""Rows as records of provenance `author-code`, written all or none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench import records
from bench.author_code.rows import Row, RunsInvalid
from bench.data.known import KNOWN
from bench.errors import ResultsUnwritable
from bench.files import digest
from bench.records import Record, seal, write

PROVENANCE = "author-code"


@dataclass(frozen=True)
class Brought:
    """How many runs were brought in, and how many were there already."""

    new: int
    known: int

    def __str__(self) -> str:
        return f"{self.new} run{'' if self.new == 1 else 's'} brought in, {self.known} there already"


def bring(results: Path, path: Path, rows: Iterable[Row]) -> Brought:
    """Write a record for every row of the file at `path` that has none; nothing if any row contradicts another.

    Raises:
        RunsInvalid: listing rows that say something else of a run than an earlier row or its record does.
        ResultsUnwritable: if a record cannot be written; those already written are taken back.
    """
    wanted: dict[Path, tuple[int, Record]] = {}
    mistakes = []
    for row in rows:
        record = record_of(row)
        place = records.path_of(results, row.dataset, row.method, record.id, record.platform)
        if place in wanted:
            mistakes.append(f"line {row.line}: the run of line {wanted[place][0]} again; leave one out")
        elif place.exists() and records.find(place) != record:
            mistakes.append(
                f"line {row.line}: {place} has other values for this run; correct the line or delete the file"
            )
        else:
            wanted[place] = row.line, record
    if mistakes:
        raise RunsInvalid("\n".join([f"{path} has {len(mistakes)} mistake(s):", *(f"  {line}" for line in mistakes)]))
    new = {place: record for place, (_, record) in wanted.items() if not place.exists()}
    _write(results, new)
    return Brought(len(new), len(wanted) - len(new))


def record_of(row: Row) -> Record:
    """The record of a row. Its id covers provenance, source and commit, and so is no measured cell's."""
    cell = row.cell.plain()
    told = {"provenance": PROVENANCE, "cell": cell, "source": row.source, "commit": row.commit}
    top1 = {"last": row.last, "best": row.best, "init": row.init}
    known = KNOWN.get(row.dataset)
    return Record(
        id=digest(told),
        platform=f"{PROVENANCE}/{row.commit[:12]}",
        provenance=PROVENANCE,
        status="ok",
        reason=None,
        suite=PROVENANCE,
        spec=cell,
        method={"version": row.commit, "title": f"{row.method}, authors' program", "source": row.source},
        data={"fingerprint": "", "images": known.sizes["test"] if known else None, "stand_in": False},
        result=seal({"top1": top1, "top5": {"last": row.top5}}),
        run={"environment": {}, "note": row.note},
    )


def _write(results: Path, new: dict[Path, Record]) -> None:
    written: list[Path] = []
    try:
        for record in new.values():
            written.append(write(results, record))
    except ResultsUnwritable:
        for place in written:
            place.unlink(missing_ok=True)
        raise

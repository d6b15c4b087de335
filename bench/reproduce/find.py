"""The record that a person means, by its path or by the beginning of its id."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError, UnknownName
from bench.records import Record, read
from bench.report.outcome import require_shape

LISTED = 5


class NotReproducible(BenchError):
    """A record that cannot be run again: not of a measured cell that ended, or made with what is not there."""


def find(wanted: str, results: Path) -> tuple[Path, Record]:
    """The path and content of a record.

    Args:
        wanted: a record's path, or the beginning of a cell id that has one record in `results`.

    Raises:
        UnknownName: if there is none, or more than one.
        RecordInvalid: if it cannot be read.
        NotReproducible: if it is no measured cell's, or the cell did not end.
    """
    path = Path(wanted)
    if path.suffix != ".json":
        path = _by_id(wanted, results)
    elif not path.is_file():
        raise UnknownName(f"there is no record {path}; give a path below {results / 'records'} or a cell id")
    record = read(path)
    require_shape(record)
    if record.provenance != "measured":
        raise NotReproducible(f"{path} is of provenance {record.provenance}: no cell of this project made it")
    if record.status not in ("ok", "diverged") or not record.result:
        raise NotReproducible(f"{path} has no result ({record.status}: {record.reason}); `run` tries such cells again")
    return path, record


def _by_id(wanted: str, results: Path) -> Path:
    """The only record whose file name or whole id begins so; a file is named after the first 16 digits of its id."""
    found = sorted((results / "records").rglob(f"{wanted[:16]}*.json")) if wanted.isalnum() else []
    found = [path for path in found if len(wanted) <= 16 or read(path).id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnknownName(f"no record in {results / 'records'} has an id that begins with '{wanted}'")
    told = ", ".join(str(path) for path in found[:LISTED]) + (", ..." if len(found) > LISTED else "")
    raise UnknownName(f"{len(found)} records have an id that begins with '{wanted}'; give one's path: {told}")

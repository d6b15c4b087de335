"""Records: what a cell leaves behind, one small JSON file each, read back only if intact."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.errors import RecordInvalid
from bench.files import digest, pretty_json, write_text
from bench.spec import Cell

SCHEMA = 1
STATUSES = ("ok", "failed", "skipped", "timeout", "oom", "diverged")
FINAL = ("ok", "diverged", "skipped")
"""Statuses that a repetition would not change; cells with another one are tried again."""


@dataclass(frozen=True)
class Record:
    """One cell's outcome.

    Attributes:
        id: the cell id. platform: device kind, torch build and threads that results depend on.
        provenance: `measured`, `author-code` or `paper`.
        status: see STATUSES. reason: why, where the status is not `ok`.
        suite: the suite that asked for the cell.
        spec: the cell, plain. method: its composed version, title and the digest of the code that ran.
        data: fingerprint, number of test images, and whether it is a stand-in.
        result: deterministic outcome with its digest: top1 and top5 (shares in [0, 1]), epochs (accuracies and mean
            losses), correct and correct_untrained (base64 of packed bits, one a test image in canonical order, after
            the last epoch and before the first update), weights (sha256), census, unquantized, ranges; and more.
        run: what another run may do differently: times (UTC, seconds), peak bytes, host, versions.
            `docs/records.md` names every field of both with its unit.
    """

    id: str
    platform: str
    provenance: str
    status: str
    reason: str | None
    suite: str
    spec: dict[str, Any]
    method: dict[str, Any]
    data: dict[str, Any]
    result: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    @cached_property
    def cell(self) -> Cell:
        return Cell.of(self.spec)

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def final(self) -> bool:
        """Whether there is nothing left to try."""
        return self.status in FINAL


def seal(result: dict[str, Any]) -> dict[str, Any]:
    """The result with its `digest` set: sha256 over everything else in it."""
    body = {key: value for key, value in result.items() if key != "digest"}
    return {**body, "digest": digest(body)}


def path_of(results: Path, dataset: str, method: str, cell_id: str, platform: str) -> Path:
    """Where the record of a cell on a platform lies: `records/<dataset>/<method>/<id>@<platform>.json`."""
    return results / "records" / dataset / method / f"{cell_id[:16]}@{re.sub(r'[^A-Za-z0-9.]+', '-', platform)}.json"


def write(results: Path, record: Record) -> Path:
    """Write a record whole or not at all and return its path."""
    path = path_of(results, record.spec["dataset"], record.spec["method"], record.id, record.platform)
    write_text(path, pretty_json(asdict(record)))
    return path


def read(path: Path) -> Record:
    """Read a record.

    Raises:
        RecordInvalid: with path and reason, if it is corrupt, foreign, of another schema, or edited by hand.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError) as error:
        raise RecordInvalid(f"{path}: not readable as JSON ({error}); restore it from git or delete it") from error
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        found = plain.get("schema") if isinstance(plain, dict) else None
        raise RecordInvalid(f"{path}: schema {found!r}, this version reads schema {SCHEMA}")
    try:
        record = Record(**plain)
        record.cell  # noqa: B018  (refuses a foreign spec)
    except (TypeError, KeyError) as error:
        raise RecordInvalid(f"{path}: not a record of this project ({error})") from error
    if not isinstance(record.result, dict):
        raise RecordInvalid(f"{path}: result must be an object")
    if record.status not in STATUSES:
        raise RecordInvalid(f"{path}: unknown status {record.status!r}")
    if record.result and seal(record.result)["digest"] != record.result.get("digest"):
        raise RecordInvalid(f"{path}: the result does not match its digest, so it was changed after it was written")
    return record


def find(path: Path) -> Record | None:
    """The record at a path, or None where there is none that can be read."""
    try:
        return read(path) if path.is_file() else None
    except RecordInvalid:
        return None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def scan(results: Path) -> Iterator[Record | RecordInvalid]:
    """Every record under a results folder in path order; what cannot be read comes as the error that says why."""
    for path in sorted((results / "records").rglob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            yield read(path)
        except RecordInvalid as error:
            yield error


def load(results: Path) -> list[Record]:
    """Every intact record under a results folder, in path order."""
    return [found for found in scan(results) if isinstance(found, Record)]

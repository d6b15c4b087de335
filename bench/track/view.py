"""What a record looks like as an MLflow run; plain values, without MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.files import canonical_json, pretty_json
from bench.measure.measurement import Measurement
from bench.records import Record
from bench.track.points import Point, metric_name, points

PREFIX = "lowbit/"
"""Of every experiment's name."""

STATUS = {
    "ok": "FINISHED",
    "skipped": "KILLED",
    "failed": "FAILED",
    "oom": "FAILED",
    "timeout": "FAILED",
    "diverged": "FAILED",
}
"""MLflow's status of each of ours: KILLED for a cell that was declined and never ran; `bench.status` tells all six."""

CELL, PLATFORM, RECORD, SWEEP = "bench.cell_id", "bench.platform", "bench.record", "bench.sweep"
"""Tags; `bench.record` is a sha256 of all files that a run shows, by which it is known to show exactly those."""

FIELDS = ("method", "dataset", "model", "schedule", "precision", "seed", "init", "tutor")
"""Fields of the spec that are params under their own name."""


@dataclass(frozen=True)
class View:
    """A record and the measurements of its model as a run.

    Attributes:
        experiment, sweep: names of the experiment and of the parent run in it. name: of the run, for people.
        status: MLflow's.
        start, end: milliseconds since 1970, None where the record has no times. began: likewise, of the sweep.
        weights: path of the packed weights, relative to the results folder.
    """

    record: Record
    experiment: str
    sweep: str
    name: str
    status: str
    start: int | None
    end: int | None
    began: int | None
    tags: dict[str, str]
    params: dict[str, str]
    points: tuple[Point, ...]
    weights: str | None

    @property
    def key(self) -> tuple[str, str]:
        """What makes two runs the same cell's: its id and its platform."""
        return self.tags[CELL], self.tags[PLATFORM]

    @property
    def files(self) -> dict[str, str]:
        """Parts of the record that are artifacts of their own, by file name."""
        plain = {"config": self.record.spec, "environment": self.record.run.get("environment", {})}
        return {f"{name}.json": pretty_json(value) for name, value in plain.items()}

    @property
    def fingerprint(self) -> str:
        """sha256 of the files that it shows."""
        return self.tags[RECORD]

    @property
    def label(self) -> str:
        """What to call the record in a message."""
        return label(self.key)


def label(key: tuple[str, str]) -> str:
    """What to call the record of a cell and platform in a message."""
    return f"{key[0][:16]}@{key[1]}"


def view(record: Record, fingerprint: str, measurements: Sequence[Measurement] = ()) -> View:
    """The run that shows a record and measurements, of whose files this is the sha256.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: for a record that is intact but filled against its schema.
    """
    sweep = f"{record.suite}/{record.run.get('sweep') or 'unknown'}"
    return View(
        record=record,
        experiment=PREFIX + record.suite,
        sweep=sweep,
        name=record.cell.label,
        status=STATUS[record.status],
        start=_milliseconds(record.run.get("started")),
        end=_milliseconds(record.run.get("ended")),
        began=_began(record.run),
        tags={**_tags(record), RECORD: fingerprint, SWEEP: sweep},
        params=_params(record),
        points=tuple(points(record, measurements)),
        weights=_inside(record.run.get("weights_file")),
    )


def _tags(record: Record) -> dict[str, str]:
    reason = {"bench.reason": record.reason[:5000]} if record.reason else {}
    return {
        CELL: record.id,
        PLATFORM: record.platform,
        "bench.status": record.status,
        "bench.provenance": record.provenance,
        "bench.method_version": str(record.method["version"]),
        **reason,
    }


def _params(record: Record) -> dict[str, str]:
    spec = record.spec
    bits = {"w_bits": spec["bits"]["w"], "a_bits": spec["bits"]["a"]}
    options = {metric_name(f"option_{key}"): value for key, value in spec["options"].items()}
    return {key: _text(value) for key, value in ({field: spec[field] for field in FIELDS} | bits | options).items()}


def _inside(path: str | None) -> str | None:
    """The path, unless it leads out of the results folder, from where nothing must be uploaded."""
    if path and (Path(path).is_absolute() or ".." in Path(path).parts):
        raise ValueError(f"weights_file '{path}' is not inside the results folder")
    return path


def _text(value: Any) -> str:
    """A param's value: text as it is, `none` for nothing, everything else as JSON."""
    if value is None or value == "":
        return "none"
    return value if isinstance(value, str) else canonical_json(value)


def _began(run: dict[str, Any]) -> int | None:
    """Start of the sweep, which is its name, or of the run where it has another one."""
    try:
        return _milliseconds(run.get("sweep") or None)
    except ValueError:
        return _milliseconds(run.get("started"))


def _milliseconds(text: str | None) -> int | None:
    """Milliseconds since 1970 of an ISO time, read as UTC where it names no zone."""
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)

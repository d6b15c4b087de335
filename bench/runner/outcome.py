"""How a cell ended, and the record and weights that it leaves on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import nn

from bench.data import Dataset
from bench.measure.environment import environment, peak_resident_bytes
from bench.method import defaults_of, settled, version_of
from bench.models import weights
from bench.quant.pack import pack
from bench.records import Record, seal, write
from bench.registry import get
from bench.runner.code import code_of
from bench.runner.job import Job
from bench.spec import Cell


@dataclass
class Outcome:
    """The end of one cell.

    Attributes:
        result: of its record. student: only where it finished.
        run: what is known of how it ran, of `run` of its record.
    """

    cell: Cell
    id: str
    status: str
    reason: str | None
    began: datetime
    result: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    student: nn.Module | None = None


def leave(job: Job, dataset: Dataset, outcome: Outcome) -> Path:
    """Write weights, then the record; returns the record's path."""
    weights_file = _leave_weights(job, outcome)
    record = Record(
        id=outcome.id,
        platform=job.platform,
        provenance="measured",
        status=outcome.status,
        reason=outcome.reason,
        suite=job.suite,
        spec=outcome.cell.plain(),
        method=_method(outcome.cell),
        data={"fingerprint": dataset.fingerprint, "images": dataset.sizes["test"], "stand_in": dataset.stand_in},
        result=seal(outcome.result) if outcome.result else {},
        run=_run(job, outcome, weights_file),
    )
    return write(job.results, record)


def _method(cell: Cell) -> dict[str, Any]:
    method = get(cell.method)
    card = settled(method, cell.options)
    return {
        "version": version_of(method, cell.options),
        "title": card.title,
        "data": card.data,
        "quantizer": card.quantizer,
        "reading": card.reading,
        "defaults": defaults_of(card),
        "code": code_of(type(method).__module__),
    }


def _run(job: Job, outcome: Outcome, weights_file: str | None) -> dict[str, Any]:
    """What another run may do differently."""
    return {
        "sweep": job.sweep,
        "command": job.command,
        "started": _utc(outcome.began),
        "ended": _utc(datetime.now(UTC)),
        "seconds": {},
        "shared": len(job.cells),
        "resumed": 0,
        "deterministic": job.device == "cpu",
        "peak_bytes": {"rss": peak_resident_bytes()},
        "weights_file": weights_file,
        "environment": environment(job.device, job.threads),
        **outcome.run,
    }


def _leave_weights(job: Job, outcome: Outcome) -> str | None:
    """Write the packed weights of a quantized student, or the plain ones of a full-precision model."""
    if outcome.student is None:
        return None
    name = job.name(outcome.id)
    full = outcome.cell.bits.full
    file = f".work/models/{name}.safetensors" if full else f"weights/{name}.safetensors"
    weights.write(job.results / file, outcome.student.state_dict() if full else pack(outcome.student))
    return file


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

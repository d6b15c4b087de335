"""How a cell ended, and the record and weights that it leaves on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import nn

from bench.data import Dataset
from bench.measure.environment import environment, peak_resident_bytes, platform
from bench.method import defaults_of, settled, version_of
from bench.models import weights
from bench.quant.pack import pack
from bench.records import Record, path_of, seal, write
from bench.registry import get
from bench.runner.code import code_of
from bench.runner.job import Job
from bench.spec import Cell


@dataclass
class Outcome:
    """The end of one cell; `student` only where it finished."""

    cell: Cell
    id: str
    status: str
    reason: str | None
    began: datetime
    resumed: int = 0
    result: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    student: nn.Module | None = None


def leave(job: Job, dataset: Dataset, outcome: Outcome) -> Path:
    """Write weights, then the record; returns the record's path."""
    where = platform(job.device, job.threads)
    weights_file = _leave_weights(job, outcome, where)
    record = Record(
        id=outcome.id,
        platform=where,
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
    """What another run may do differently. Seconds of `draw` are the whole group's, shared by `shared` cells."""
    return {
        "sweep": job.sweep,
        "command": job.command,
        "started": _utc(outcome.began),
        "ended": _utc(datetime.now(UTC)),
        "seconds": {key: round(value, 3) for key, value in outcome.seconds.items()},
        "shared": len(job.cells),
        "resumed": outcome.resumed,
        "deterministic": job.device == "cpu",
        "peak_bytes": {"rss": peak_resident_bytes()},
        "weights_file": weights_file,
        "environment": environment(job.device, job.threads),
    }


def _leave_weights(job: Job, outcome: Outcome, where: str) -> str | None:
    """Write the packed weights of a quantized student, or the plain ones of a full-precision model."""
    if outcome.student is None:
        return None
    named = path_of(job.results, outcome.cell.dataset, outcome.cell.method, outcome.id, where)
    name = Path(*named.relative_to(job.results / "records").parts).with_suffix("").as_posix() + ".safetensors"
    full = outcome.cell.bits.full
    file = f".work/models/{name}" if full else f"weights/{name}"
    weights.write(job.results / file, outcome.student.state_dict() if full else pack(outcome.student))
    return file


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

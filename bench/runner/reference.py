"""The full-precision model's accuracy, which many cells are compared with: measured once for each platform."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.data import Dataset
from bench.files import digest, pretty_json, write_text
from bench.runner import build
from bench.runner.evaluate import TestImages, score
from bench.runner.job import Job
from bench.spec import Cell


@dataclass(frozen=True)
class Reference:
    """Shares of test images that the full-precision model is right on, with its first and first five answers."""

    top1: float
    top5: float


def reference(job: Job, cell: Cell, dataset: Dataset, test: TestImages) -> Reference | None:
    """Accuracy of the model that the cell's student starts from, or None where it starts from nothing."""
    model = build.full_precision(job, cell, dataset)
    if model is None:
        return None
    key = digest({"init": cell.init, "data": dataset.fingerprint, "platform": job.platform})
    path = job.results / ".work" / "references" / f"{key[:16]}.json"
    if (kept := _kept(path, key)) is not None:
        return kept
    found = score(model.eval(), test)
    write_text(path, pretty_json({"key": key, "top1": found.top1, "top5": found.top5}))
    return Reference(found.top1, found.top5)


def _kept(path: Path, key: str) -> Reference | None:
    try:
        found = json.loads(path.read_text())
        return Reference(float(found["top1"]), float(found["top5"])) if found["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None

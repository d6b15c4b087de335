"""What it took to obtain one quantized model, as its record tells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import RecordInvalid
from bench.records import Record

_PARTS = ("draw", "learn", "evaluate", "other")
_SHARED = ("draw", "other")
"""What the cells of a run spend together."""


@dataclass(frozen=True)
class Spent:
    """Costs of one cell; None where they were not recorded.

    Attributes:
        seconds: to draw, learn, evaluate and the rest, as if the cell had run alone. amortised: the same, with what
            the cells of a run spent together divided among them.
        cpu_seconds: of all threads, as if alone. gpu_seconds: that a GPU was held for, as if alone.
        train_bytes, evaluate_bytes: peak while training and while evaluating; allocated by torch on a GPU, of the
            resident set on a CPU. process_bytes: peak resident set of the whole process.
        joules: of the device. images: training images seen. steps: learnt from.
    """

    seconds: float | None = None
    amortised: float | None = None
    cpu_seconds: float | None = None
    gpu_seconds: float | None = None
    train_bytes: float | None = None
    evaluate_bytes: float | None = None
    process_bytes: float | None = None
    joules: float | None = None
    images: float | None = None
    steps: float | None = None

    @classmethod
    def of(cls, record: Record) -> Spent:
        """What a record tells.

        Raises:
            RecordInvalid: if something in it is no number.
        """
        run, gpu = record.run, not record.platform.startswith("cpu")
        seconds, cpu, peak = (_part(run, name) for name in ("seconds", "cpu_seconds", "peak_bytes"))
        alone = _total(seconds, "seconds", 1)
        memory = "allocated" if gpu else "resident"
        return cls(
            seconds=alone,
            amortised=_total(seconds, "seconds", _number(run, "shared", "run") or 1),
            cpu_seconds=_total(cpu, "cpu_seconds", 1),
            gpu_seconds=alone if gpu else None,
            train_bytes=_number(_part(peak, "train"), memory, "peak_bytes.train"),
            evaluate_bytes=_number(_part(peak, "evaluate"), memory, "peak_bytes.evaluate"),
            process_bytes=_number(peak, "rss", "peak_bytes"),
            joules=_number(run, "energy_joules", "run"),
            images=_number(run, "images", "run"),
            steps=_number(record.result, "steps", "result"),
        )


def _total(spent: Mapping[str, Any], name: str, shared: float) -> float | None:
    """Sum of all parts, of which some are divided among the cells that shared them."""
    found = {part: _number(spent, part, f"run.{name}") for part in _PARTS if part in spent}
    costs = [cost / (shared if part in _SHARED else 1) for part, cost in found.items() if cost is not None]
    return math.fsum(costs) if costs else None


def _number(whole: Mapping[str, Any], name: str, where: str) -> float | None:
    value = whole.get(name)
    if value is None or value == "unknown":
        return None
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise RecordInvalid(f"{where}: {name} is {value!r}, not a number from 0")
    return float(value)


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name) or {}
    if not isinstance(part, dict):
        raise RecordInvalid(f"run: {name} is not an object")
    return part

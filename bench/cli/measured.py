"""Measurements for a terminal: tables of models and of latencies, what the numbers are of, what disturbed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from bench.measure.measurement import Measurement
from bench.records import Record

LATENCY = ("model", "id", "kernel", "batch", "p50 ms", "p90 ms", "p99 ms", "images/s", "x fp32", "")
NOTES = (
    "Memory: peak resident set of passes, in a process of their own, beyond what it took with the model loaded (on a "
    "GPU: what torch had allocated). Step: drawing a batch and learning from it. -: not measured.",
    "x fp32: median over that of the full-precision model in the same engine, measured in turn. Rows of different "
    "kernels never rank.",
    "eager fake-quantized fp32 simulates: it does all the work of fp32 and rounding besides, and says nothing of "
    "low-bit arithmetic. onnxruntime has no convolution kernels below 8 bits: rows of less than 8 bits ran there as "
    "int8, so that fewer bits save bytes and bit-operations here, and no time.",
)


@dataclass(frozen=True)
class Found:
    """A cell's record, and the measurements of its model and of the full-precision model that it started from."""

    record: Record
    measurements: Sequence[Measurement]


@dataclass(frozen=True)
class _Model:
    """One line of the table of models."""

    name: str
    id: str
    top1: float | None
    measurements: Sequence[Measurement]

    def value(self, kind: str, key: str, batch: int | None = None) -> Any:
        """A value of the first measurement of a kind, at a batch size."""
        return next((m.values[key] for m in self.of(kind) if m.batch == (batch or m.batch)), None)

    def of(self, kind: str) -> list[Measurement]:
        return [m for m in self.measurements if m.kind == kind]


def show(found: Sequence[Found]) -> str:
    """Tables of everything found, then notes and disturbances."""
    models = _models(found)
    timed = [(model, m) for model in models for m in model.of("latency")]
    lines = [_table(*_facts(models))]
    if timed:
        lines += ["", _table(LATENCY, [_latency(*each) for each in timed])]
    lines += ["", *NOTES]
    every = [(model, m) for model in models for m in model.measurements]
    for where in dict.fromkeys(f"{m.platform} ({m.processor})" for _, m in every if m.time):
        lines.append(f"On {where}.")
    told = {
        f"* {model.name} ({model.id}), {m.kind} of {m.kernel}, batch {m.batch}, disturbed: {text}": None
        for model, m in every
        for text in m.disturbed
    }
    return "\n".join([*lines, *told])


def _models(found: Sequence[Found]) -> list[_Model]:
    """The cells' models in order, then each full-precision model once."""
    own = []
    full: dict[str, tuple[float | None, dict[Any, Measurement]]] = {}
    for each in found:
        record, top1 = each.record, each.record.result["top1"]
        mine = [m for m in each.measurements if m.model == record.result["weights"]]
        own.append(_Model(f"{record.cell.dataset} {record.cell.label}", record.id[:8], top1["last"], mine))
        for m in each.measurements:
            if m.model == record.cell.init:
                full.setdefault(m.model, (top1.get("init"), {}))[1][m.kind, m.kernel, m.batch] = m
    shared = [(top1, list(kept.values())) for top1, kept in full.values()]
    return own + [_Model(_full_name(kept[0]), kept[0].model[:8], top1, kept) for top1, kept in shared]


def _full_name(measurement: Measurement) -> str:
    return f"{measurement.name['dataset']} {measurement.name['model']} full precision"


def _facts(models: Sequence[_Model]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of models; columns of what was not looked for are left out."""
    sizes = sorted({m.batch for model in models for m in model.of("memory")})
    joules = sorted({m.batch for model in models for m in model.of("energy")})
    kinds = {m.kind for model in models for m in model.measurements}
    head = ["model", "id", "top-1 %"]
    head += ["MMAC", "G bit-operations", "packed KiB", "fp32 KiB"] if "cost" in kinds else []
    head += [f"memory MiB, batch {size}" for size in sizes]
    head += [f"J/1000 images, batch {size}" for size in joules]
    head += ["step ms (batch)"] if "step" in kinds else []
    rows = []
    for model in models:
        row = [model.name, model.id, _number(model.top1, 100)]
        if "cost" in kinds:
            row += [_number(model.value("cost", key), scale, 1) for key, scale in _COST.items()]
        row += [_memory(model, size) for size in sizes]
        row += [_number(model.value("energy", "joules_per_1000", size), 1, 3) for size in joules]
        row += [_step(model)] if "step" in kinds else []
        rows.append(row)
    return head, rows


_COST = {"macs": 1e-6, "bit_operations": 1e-9, "packed_bytes": 1 / 1024, "fp32_bytes": 1 / 1024}
"""What is shown of costs, and in which unit."""


def _memory(model: _Model, batch: int) -> str:
    peak = next((m.peak_bytes for m in model.of("memory") if m.batch == batch), None)
    return _number(peak, 2**-20, 1)


def _step(model: _Model) -> str:
    step = next(iter(model.of("step")), None)
    return f"{_number(step.values['p50'], 1000, 0)} ({step.batch})" if step else "-"


def _latency(model: _Model, m: Measurement) -> list[str]:
    times = [_number(m.values[key], 1000, 3) for key in ("p50", "p90", "p99")]
    about = [_number(m.values["images_per_second"], 1, 0), _number(m.ratio, 1), "*" if m.disturbed else ""]
    return [model.name, model.id, m.kernel, str(m.batch), *times, *about]


def _number(value: float | None, scale: float, digits: int = 2) -> str:
    return "-" if value is None else f"{scale * value:,.{digits}f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return str(tabulate(rows, head, tablefmt="github", disable_numparse=True))

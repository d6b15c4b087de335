"""Latency by kernel and machine, with memory and energy measured in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bench.measure.kernels import FAKE_QUANTIZED, TRAINING
from bench.measure.measurement import Measurement
from bench.report.contents import Report
from bench.report.document import Document, Grid, grid
from bench.report.figures import ABSENT, count, megabytes, milliseconds
from bench.report.frame import number
from bench.report.measured import Measured
from bench.report.notes import keys, title
from bench.report.rows import Sheet
from bench.report.text import clipped, narrow, plain
from bench.spec import FULL, Bits

_NOTES = (
    "p50, p90, p99: of raw samples of one pass, in milliseconds. x fp32: median over that of the full-precision model, "
    "measured in turn with it. memory: peak of the passes in a process of their own, allocated on a GPU, resident on a "
    "CPU beyond what it took with the model loaded. J / 1,000: joules for 1,000 images, of the device. - where it was "
    "not measured.",
    "Sections are of one kernel each. Numbers of different kernels or machines do not rank, and lines stand by bits "
    "and name.",
)
_SIMULATED = (
    f"{FAKE_QUANTIZED} simulates low bits: values are rounded to those of their codes and computed in float32, which "
    "is more work than fp32 and says nothing of low-bit arithmetic."
)
_STEP = f"{TRAINING} is no latency: a step of training as the method takes it, of a batch drawn and learnt from."
_RIGHT = ("seed", "batch", "p50 ms", "p90 ms", "p99 ms", "images/s", "x fp32", "memory MB", "J / 1,000")


@dataclass(frozen=True)
class Line:
    """One model measured in one way; `label` and `seed` say which."""

    bits: Bits
    label: str
    seed: str
    latency: Measurement
    memory: Measurement | None
    energy: Measurement | None

    @property
    def machine(self) -> str:
        """Platform and processor."""
        return plain(f"{self.latency.platform}, {self.latency.processor}")

    @property
    def memory_bytes(self) -> float | None:
        """Peak bytes of the passes: allocated on a GPU, resident beyond the loaded model on a CPU."""
        return self.memory.peak_bytes if self.memory else None

    @property
    def joules(self) -> float | None:
        """For 1,000 images."""
        return _number(self.energy, "joules_per_1000")

    @property
    def disturbed(self) -> list[str]:
        """What disturbed any part of it."""
        parts = [self.latency, self.memory, self.energy]
        return list(dict.fromkeys(plain(text) for part in parts if part for text in part.disturbed))


def document(report: Report, dataset: str) -> Document:
    """What was measured of the models of a data set."""
    found = [(sheet, _lines(sheet, report.measured)) for sheet in report.sheets]
    grids = tuple(_grid(sheet, lines) for sheet, lines in found if lines)
    data = [(sheet, line) for sheet, lines in found for line in lines]
    return Document("latency", dataset, grids, _data(data))


def _lines(sheet: Sheet, measured: Measured) -> list[Line]:
    """In order of kernel, bits, label, seed, batch and machine."""
    found = [
        Line(bits, label, seed, latency, measured.beside(latency, "memory"), measured.beside(latency, "energy"))
        for bits, label, seed, model in _models(sheet)
        for latency in measured.timed(model)
    ]
    return sorted(found, key=_order)


def _order(line: Line) -> tuple[Any, ...]:
    return line.latency.kernel, not line.bits.full, line.bits, line.label, int(line.seed or 0), line.latency.batch


def _models(sheet: Sheet) -> Iterator[tuple[Bits, str, str, str]]:
    """Bits, label, seed and sha256 of everything that may have been measured."""
    yield FULL, "full precision", "", sheet.board.init
    for row in sheet.rows:
        for outcome in row.outcomes:
            yield row.entry.league.bits, row.label, str(outcome.seed), outcome.weights


def _grid(sheet: Sheet, lines: list[Line]) -> Grid:
    machines = keys(sorted({line.machine for line in lines}), "m")
    by_kernel = groupby(lines, lambda line: line.latency.kernel)
    sections = [[_cells(line, machines[line.machine]) for line in same] for _, same in by_kernel]
    notes = [*_NOTES, *_about(lines), *_where(machines), *_disturbed(lines, machines)]
    name, key = f"{title(sheet.board)} · latency", f"latency-{sheet.board.key}"
    return grid(name, key, sections, _RIGHT, ("seed", "memory MB", "J / 1,000", "disturbed"), notes)


def _cells(line: Line, machine: str) -> dict[str, str]:
    own, ratio = line.latency.values, line.latency.ratio
    return {
        "kernel": narrow(line.latency.kernel),
        "bits": "full" if line.bits.full else str(line.bits),
        "method": line.label,
        "seed": line.seed,
        "batch": str(line.latency.batch),
        "p50 ms": milliseconds(own["p50"]),
        "p90 ms": milliseconds(own["p90"]),
        "p99 ms": milliseconds(own["p99"]),
        "images/s": count(own["images_per_second"]),
        "x fp32": ABSENT if ratio is None else f"{ratio:.2f}",
        "memory MB": megabytes(line.memory_bytes),
        "J / 1,000": ABSENT if line.joules is None else f"{line.joules:.2f}",
        "disturbed": "yes" if line.disturbed else "",
        "on": machine,
    }


def _about(lines: list[Line]) -> list[str]:
    """What must be known of kernels that are among the lines."""
    kernels = {line.latency.kernel for line in lines}
    return [told for kernel, told in ((FAKE_QUANTIZED, _SIMULATED), (TRAINING, _STEP)) if kernel in kernels]


def _where(machines: dict[str, str]) -> list[str]:
    named = "; ".join(f"{key} = {machine}" for machine, key in machines.items())
    several = f" These are measurements on {len(machines)} machines." if len(machines) > 1 else ""
    return [f"on: {named}.{several}"]


def _disturbed(lines: list[Line], machines: dict[str, str]) -> list[str]:
    return [
        clipped(
            f"Disturbed: {line.latency.kernel}, {line.bits}, {line.label}, seed {line.seed or 'none'}, "
            f"batch {line.latency.batch}, on {machines[line.machine]}: {'; '.join(line.disturbed)}."
        )
        for line in lines
        if line.disturbed
    ]


def _data(found: list[tuple[Sheet, Line]]) -> dict[str, list[Any]]:
    return {name: [value(sheet, line) for sheet, line in found] for name, value in _COLUMNS.items()}


def _number(measurement: Measurement | None, name: str) -> float | None:
    value = measurement.values.get(name) if measurement else None
    return value if isinstance(value, (int, float)) else None


_COLUMNS: dict[str, Callable[[Sheet, Line], Any]] = {
    "dataset": lambda sheet, _: sheet.board.dataset,
    "model": lambda sheet, _: sheet.board.model,
    "schedule": lambda sheet, _: sheet.board.schedule,
    "precision": lambda sheet, _: sheet.board.precision,
    "kernel": lambda _, line: line.latency.kernel,
    "w_bits": lambda _, line: line.bits.w,
    "a_bits": lambda _, line: line.bits.a,
    "method": lambda _, line: line.label,
    "seed": lambda _, line: line.seed,
    "weights": lambda _, line: line.latency.model,
    "batch": lambda _, line: line.latency.batch,
    "platform": lambda _, line: line.latency.platform,
    "processor": lambda _, line: line.latency.processor,
    "p50_seconds": lambda _, line: number(line.latency.values["p50"]),
    "p90_seconds": lambda _, line: number(line.latency.values["p90"]),
    "p99_seconds": lambda _, line: number(line.latency.values["p99"]),
    "images_per_second": lambda _, line: number(line.latency.values["images_per_second"]),
    "times_fp32": lambda _, line: number(line.latency.ratio),
    "memory_bytes": lambda _, line: number(line.memory_bytes),
    "joules_per_1000_images": lambda _, line: number(line.joules),
    "disturbed": lambda _, line: "; ".join(line.disturbed),
}

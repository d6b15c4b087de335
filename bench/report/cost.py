"""What quantized models cost to obtain and to run: time, memory, energy, images, size and operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

from bench.report.contents import Report
from bench.report.document import Document, Grid, grid
from bench.report.figures import ABSENT, count, megabytes, seconds
from bench.report.frame import identity, number
from bench.report.measured import Measured
from bench.report.notes import keys, settings, title
from bench.report.rows import Row, Sheet

_NOTES = (
    "Means over n seeds, of obtaining one quantized model; - where it was not recorded, and no column where no row "
    "has it. Lines stand by bits, data access and name, not by rank. Compare times and memory on one machine alone.",
    "time s: to draw, learn, evaluate and the rest, as if the cell ran alone; amortised s: the same, with what cells "
    "of one run shared divided among them. CPU s: seconds of all threads. GPU s: seconds that a GPU was held.",
    "train MB, test MB: peak memory while training and while evaluating, allocated on a GPU, resident on a CPU; "
    "process MB: peak resident set of the whole process; 10^6 bytes. energy kJ: of the device. images: training "
    "images seen, drawn or real. steps: batches learnt from.",
    "size kB: weights packed at their bits, with scales, biases and batch norm, and how many times smaller than in "
    "fp32. MACs, bit-operations (MACs x weight bits x input bits): of one image.",
)
_RIGHT = ("n", "time s", "amortised s", "CPU s", "GPU s", "train MB", "test MB", "process MB", "energy kJ", "images")
_COUNTED = ("steps", "size kB", "fp32 / size", "M MACs", "G bit-ops")
_OPTIONAL = (*_RIGHT[3:], *_COUNTED)


def document(report: Report, dataset: str) -> Document:
    """The cost of every row of a data set."""
    grids = tuple(_grid(sheet, report.measured) for sheet in report.sheets)
    rows = [row for sheet in report.sheets for row in sheet.rows]
    costs = {name: [number(value(row, report.measured)) for row in rows] for name, value in _COLUMNS.items()}
    return Document("cost", dataset, grids, identity(rows) | costs)


def _grid(sheet: Sheet, measured: Measured) -> Grid:
    by_name = sorted(sheet.rows, key=lambda row: (*row.entry.league.order, row.label, row.entry.platform))
    by_bits = groupby(by_name, lambda row: row.entry.league.bits)
    sections = [_full(sheet, measured), *([_line(sheet, row, measured) for row in rows] for _, rows in by_bits)]
    places = "; ".join(f"{key} = {platform}" for platform, key in keys(sheet.platforms, "p").items())
    notes = (*_NOTES, f"{settings(sheet.board)} on: {places}.")
    name, key = f"{title(sheet.board)} · cost", f"cost-{sheet.board.key}"
    return grid(name, key, sections, (*_RIGHT, *_COUNTED), _OPTIONAL, notes)


def _line(sheet: Sheet, row: Row, measured: Measured) -> dict[str, str]:
    league, spent = row.entry.league, row.spent
    return {
        "bits": str(league.bits),
        "data": league.access,
        "method": row.label,
        "n": str(row.n),
        "time s": seconds(spent("seconds")),
        "amortised s": seconds(spent("amortised")),
        "CPU s": seconds(spent("cpu_seconds")),
        "GPU s": seconds(spent("gpu_seconds")),
        "train MB": megabytes(spent("train_bytes")),
        "test MB": megabytes(spent("evaluate_bytes")),
        "process MB": megabytes(spent("process_bytes")),
        "energy kJ": count(spent("joules"), 1e3),
        "images": count(spent("images")),
        "steps": count(spent("steps")),
        **_counted(measured.cost(row.models)),
        "on": keys(sheet.platforms, "p")[row.entry.platform],
    }


def _counted(cost: Mapping[str, float]) -> dict[str, str]:
    """What was counted of a model."""
    packed, plain = cost.get("packed_bytes"), cost.get("fp32_bytes")
    return {
        "size kB": count(packed, 1e3),
        "fp32 / size": f"{plain / packed:.2f}" if packed and plain else ABSENT,
        "M MACs": count(cost.get("macs"), 1e6),
        "G bit-ops": count(cost.get("bit_operations"), 1e9),
    }


def _full(sheet: Sheet, measured: Measured) -> list[dict[str, str]]:
    """The full-precision model's line, where something was counted of it."""
    cost = measured.cost([sheet.board.init])
    blank = dict.fromkeys(_line(sheet, sheet.rows[0], measured), "")
    return [{**blank, "bits": "full", "method": "full precision", **_counted(cost)}] if cost else []


def _spent(name: str) -> Callable[[Row, Measured], float | None]:
    return lambda row, _: row.spent(name)


def _of_model(name: str) -> Callable[[Row, Measured], float | None]:
    return lambda row, measured: measured.cost(row.models).get(name)


_COLUMNS: dict[str, Callable[[Row, Measured], Any]] = {
    "seconds": _spent("seconds"),
    "amortised_seconds": _spent("amortised"),
    "cpu_seconds": _spent("cpu_seconds"),
    "gpu_seconds": _spent("gpu_seconds"),
    "train_peak_bytes": _spent("train_bytes"),
    "evaluate_peak_bytes": _spent("evaluate_bytes"),
    "process_peak_bytes": _spent("process_bytes"),
    "energy_joules": _spent("joules"),
    "images": _spent("images"),
    "steps": _spent("steps"),
    "packed_bytes": _of_model("packed_bytes"),
    "fp32_bytes": _of_model("fp32_bytes"),
    "macs": _of_model("macs"),
    "bit_operations": _of_model("bit_operations"),
}

"""Latencies for a terminal: a table, what the numbers are of, and what disturbed them."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from bench.measure.measurement import Measurement
from bench.records import Record

HEAD = ("cell", "id", "kernel", "batch", "p50 ms", "p90 ms", "p99 ms", "images/s", "eager fp32 p50 ms", "x fp32", "")
NOTE = (
    "Quantization is simulated: rows below 32 bits ran as fake-quantized fp32 kernels, which do more work than fp32 "
    "and say nothing of low-bit arithmetic. x fp32: median over that of the full-precision model, measured in turn."
)


def show(found: Sequence[tuple[Record, Measurement]]) -> str:
    """A table of measurements of records, then notes and disturbances."""
    lines = [tabulate([_row(*each) for each in found], HEAD, tablefmt="github", disable_numparse=True), "", NOTE]
    for platform in dict.fromkeys(f"{m.platform} ({m.processor})" for _, m in found):
        lines.append(f"On {platform}.")
    for record, measurement in found:
        name = f"{record.cell.label} ({record.id[:8]}) batch {measurement.batch}"
        lines += [f"* {name}, disturbed: {text}" for text in measurement.disturbed]
    return "\n".join(lines)


def _row(record: Record, measurement: Measurement) -> list[str]:
    own, beside, ratio = measurement.latency, measurement.beside, measurement.ratio
    assert beside and ratio is not None
    times = [_milliseconds(seconds) for seconds in (own["p50"], own["p90"], own["p99"])]
    against = [_milliseconds(beside["latency"]["p50"]), f"{ratio:.2f}", "*" if measurement.disturbed else ""]
    name = [f"{record.cell.dataset} {record.cell.label}", record.id[:8], measurement.kernel, str(measurement.batch)]
    return [*name, *times, f"{own['images_per_second']:,.0f}", *against]


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:,.3f}"

"""The metrics of a run: every number of a record and of the measurements of its model, under a name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from bench.measure.measurement import Measurement
from bench.records import Record
from bench.stats.proportion import wilson

PERCENTILES = ("p50", "p90", "p99")


class Point(NamedTuple):
    """One value of a metric; step is the epoch, 0 for what has no curve."""

    key: str
    value: float
    step: int


def points(record: Record, measurements: Sequence[Measurement]) -> Iterator[Point]:
    """All numbers of a record and of measurements of its model; what is unknown is left out."""
    yield from _accuracy(record)
    yield from _spent(record)
    yield from _curves(record)
    yield from _measured(measurements)


@lru_cache(maxsize=4096)
def metric_name(text: str) -> str:
    """The nearest name that MLflow takes on every system: no `@`, `%` or `:`, and no empty or dotted path parts."""
    parts = re.sub(r"[^/\w.\- ]", "_", text).split("/")
    return "/".join(part for part in parts if part.strip("."))


def _accuracy(record: Record) -> Iterator[Point]:
    """Accuracies after the last epoch: in all with Wilson's 95 % interval, of each class, against full precision."""
    result = record.result
    for top in ("top1", "top5"):
        yield from _points(f"accuracy/{top}_", result.get(top, {}))
    if result.get("top1") and (images := record.data.get("images")):
        low, high = wilson(result["top1"]["last"], images)
        yield from _points("accuracy/top1_last_", {"low": low, "high": high})
    yield from _points("accuracy/", {"agreement": result.get("agreement")})
    counts = zip(result.get("per_class", ()), result.get("class_images", ()), strict=True)
    yield from _points("accuracy/class/", {f"{index:02}": right / of for index, (right, of) in enumerate(counts) if of})


def _spent(record: Record) -> Iterator[Point]:
    """What it took to obtain the model: memory, energy, time, images."""
    run = record.run
    for phase, peak in run.get("peak_bytes", {}).items():
        if isinstance(peak, Mapping):
            yield from _points(f"memory/{phase}_", {f"{name}_bytes": value for name, value in peak.items()})
        else:
            yield from _points("memory/", {f"peak_{phase}_bytes": peak})
    yield from _points("energy/", {"obtain_joules": run.get("energy_joules")})
    for kind in ("seconds", "cpu_seconds", "step_seconds"):
        yield from _points(f"cost/{kind}_", run.get(kind, {}))
    yield from _points("cost/", {name: run.get(name) for name in ("shared", "resumed", "steps", "images")})


def _measured(measurements: Sequence[Measurement]) -> Iterator[Point]:
    """What was measured of the model; the names say on which machine, with which kernel and batch size."""
    for m in measurements:
        place = f"{m.machine}/{m.kernel.replace(' ', '-')}/b{m.batch}/"
        if m.kind in ("latency", "step"):
            yield from _points(f"latency/{place}", {f"{name}_seconds": m.values[name] for name in PERCENTILES})
            yield from _points(f"latency/{place}", {"images_per_second": m.values["images_per_second"]})
            yield from _points(f"latency/{place}", {"times_fp32": m.ratio})
        elif m.kind == "memory":
            yield from _points(f"memory/{place}", {f"{name}_bytes": value for name, value in m.values.items()})
        elif m.kind == "energy":
            yield from _points(f"energy/{place}", {"joules_per_1000_images": m.values["joules_per_1000"]})
        else:
            yield from _points("cost/", m.values)


def _curves(record: Record) -> Iterator[Point]:
    """Numbers of each epoch: accuracies and mean losses."""
    for epoch in record.result.get("epochs", []):
        step = epoch["epoch"]
        yield from _points("accuracy/", {top: epoch.get(top) for top in ("top1", "top5")}, step)
        yield from _points("loss/", epoch.get("losses", {}), step)


def _points(prefix: str, values: Mapping[str, Any], step: int = 0) -> Iterator[Point]:
    for key, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield Point(metric_name(prefix + key), float(value), step)

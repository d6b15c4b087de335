"""Measurements: what was measured of a model with a kernel on a machine, one small JSON file each.

They are records of their own beside those of cells, so that measuring again never means training again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import RecordInvalid
from bench.files import digest, pretty_json, write_text
from bench.measure.kernels import KERNELS
from bench.spec import Bits

SCHEMA = 1
KINDS = ("latency", "step", "memory", "energy", "cost")

SPEED = ("samples", "p50", "p90", "p99", "images_per_second")
VALUES = {
    "latency": SPEED,
    "step": SPEED,
    "memory": ("resident", "baseline", "allocated", "reserved", "nvml_process", "nvml_device"),
    "energy": ("joules_per_1000", "joules", "images", "seconds"),
    "cost": ("macs", "bit_operations", "packed_bytes", "fp32_bytes", "packed", "layers"),
}
"""What the values of each kind have."""

ANY = "any"
"""Platform and processor of what no machine has a part in."""


@dataclass(frozen=True)
class Measurement:
    """What was found of one model in one way.

    Attributes:
        kind: see KINDS. kernel: what computed, see `bench.measure.kernels`; numbers of different kernels never rank.
        model: sha256 of the model: a cell's `result.weights`, or a full-precision model's.
        cells: ids of the cells that the model is the result of; none for a full-precision model of a user.
        name: dataset and model (the network's name). bits: of weights and activations, 32 for full precision.
        platform: as in records. processor: model name and vector extensions, which a platform does not tell. Both are
            ANY for what was counted.
        batch: images a pass or a step.
        values: what was found; None, or `unknown`, for what the system does not say. By kind:
            latency, step: raw `samples` (seconds a pass or a training step, in order of time), their `p50`, `p90`,
                `p99` (seconds; None for too few samples) and `images_per_second`.
            memory: peak bytes of passes in a process of their own, as `bench.measure.memory.peaks` gives them, and
                `baseline`, the resident set with the model loaded before the first pass.
            energy: `joules_per_1000` images, and the `joules`, `images` and `seconds` behind it.
            cost: see `bench.measure.cost`, of one image.
        beside: the full-precision model that was measured in turn with it: `model`, `kernel`, `values`; else None.
        settings: threads, warm-up passes, fingerprint of packed weights: how it was measured.
        disturbed: a sentence for each thing that disturbed it. seen: the facts behind them.
        environment: plain facts of the machine; none for what was counted.
        time: when it began (UTC); None for what was counted, which is the same at all times.
    """

    kind: str
    kernel: str
    model: str
    cells: list[str]
    name: dict[str, str]
    bits: dict[str, int]
    platform: str
    processor: str
    batch: int
    values: dict[str, Any]
    beside: dict[str, Any] | None
    settings: dict[str, Any]
    disturbed: list[str]
    seen: dict[str, Any]
    environment: dict[str, Any]
    time: str | None
    schema: int = field(default=SCHEMA)

    @property
    def ratio(self) -> float | None:
        """Median over that of the full-precision model in turn with it, or None where there was none."""
        return self.values["p50"] / self.beside["values"]["p50"] if self.beside else None

    @property
    def peak_bytes(self) -> int | None:
        """Of a measurement of memory, what passes took: on a GPU what torch allocated, else beyond the baseline."""
        allocated, peak, before = (self.values[key] for key in ("allocated", "resident", "baseline"))
        if allocated is not None:
            return int(allocated)
        return None if peak is None or before is None else int(peak - before)

    @property
    def machine(self) -> str:
        """A short name of the platform and processor, for names of files and metrics: equal only where both are."""
        return _slug(f"{self.platform}-{hashlib.sha256(self.processor.encode()).hexdigest()[:6]}")


def path_of(results: Path, measurement: Measurement) -> Path:
    """`measurements/<model>-<bits>-<kind>-b<batch>@<machine>-<kernel>.json`."""
    m = measurement
    what = f"{m.model[:16]}-{str(Bits(**m.bits)).lower()}-{m.kind}-b{m.batch}"
    return results / "measurements" / f"{what}@{m.machine}-{_slug(m.kernel)}.json"


def write(results: Path, measurement: Measurement) -> Path:
    """Write a measurement whole or not at all, in place of an earlier one, and return its path."""
    path, plain = path_of(results, measurement), asdict(measurement)
    write_text(path, pretty_json({**plain, "digest": digest(plain)}))
    return path


def read(path: Path) -> Measurement:
    """Read a measurement.

    Raises:
        RecordInvalid: with path and reason, if it is corrupt, foreign, of another schema, or edited by hand.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordInvalid(f"{path}: not readable as JSON ({error}); measure again or restore it from git") from error
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        found = plain.get("schema") if isinstance(plain, dict) else None
        raise RecordInvalid(f"{path}: schema {found!r}, this version reads schema {SCHEMA}")
    sealed = plain.pop("digest", None)
    try:
        measurement = Measurement(**plain)
    except TypeError as error:
        raise RecordInvalid(f"{path}: not a measurement of this project ({error})") from error
    if problems := _problems(measurement):
        raise RecordInvalid(f"{path}: {'; '.join(problems)}")
    if digest(plain) != sealed:
        raise RecordInvalid(f"{path}: it does not match its digest, so it was changed after it was written")
    return measurement


def scan(results: Path) -> Iterator[Measurement | RecordInvalid]:
    """Every measurement under a results folder in path order; what cannot be read comes as the error that says why."""
    return scan_files(sorted((results / "measurements").glob("[!.]*.json")))


def scan_files(paths: Iterable[Path]) -> Iterator[Measurement | RecordInvalid]:
    """The measurements in files; what cannot be read comes as the error that says why."""
    for path in paths:
        try:
            yield read(path)
        except RecordInvalid as error:
            yield error


def load(results: Path) -> list[Measurement]:
    """Every intact measurement under a results folder, in path order."""
    return [found for found in scan(results) if isinstance(found, Measurement)]


def _problems(measurement: Measurement) -> list[str]:
    found = [
        f"unknown {name} {value!r}"
        for name, value, known in (
            ("kind", measurement.kind, KINDS),
            ("kernel", measurement.kernel, KERNELS),
        )
        if value not in known
    ]
    if not re.fullmatch("[0-9a-f]{64}", str(measurement.model)):
        found.append(f"model must be 64 hex digits, not {measurement.model!r}")
    if not _sentences(measurement.disturbed):
        found.append("disturbed must be a list of sentences")
    wanted = set(VALUES.get(measurement.kind, ()))
    if not isinstance(measurement.values, dict) or measurement.values.keys() != wanted:
        found.append(f"values of kind {measurement.kind!r} must be {', '.join(sorted(wanted))}")
    elif odd := [key for key, value in measurement.values.items() if not _plain(value)]:
        found.append(f"values {', '.join(odd)} are no numbers")
    return found


def _plain(value: Any) -> bool:
    """Whether a value is a number or what stands for one, or a collection."""
    return value is None or value == "unknown" or type(value) in (int, float, list, dict)


def _sentences(value: Sequence[Any]) -> bool:
    return isinstance(value, list) and all(isinstance(sentence, str) for sentence in value)


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text)

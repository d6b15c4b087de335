"""Measurements: what was measured of a model with a kernel on a machine, one small JSON file each.

They are records of their own beside those of cells, so that measuring again never means training again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import RecordInvalid
from bench.files import digest, pretty_json, write_text
from bench.measure.latency import EAGER_FP32, FAKE_QUANTIZED
from bench.spec import Bits

SCHEMA = 1
KINDS = ("latency",)
KERNELS = (EAGER_FP32, FAKE_QUANTIZED)


@dataclass(frozen=True)
class Measurement:
    """Latency of one model at one batch size.

    Attributes:
        kind: see KINDS. kernel: what computed, see KERNELS; numbers of different kernels never rank.
        model: sha256 of the model: a cell's `result.weights`, or a full-precision model's.
        cells: ids of the cells that the model is the result of; none for a full-precision model of a user.
        name: dataset and model (the network's name). bits: of weights and activations, 32 for full precision.
        platform: as in records. processor: model name and vector extensions, which a platform does not tell.
        batch: images a pass. latency: raw `samples` (seconds a pass, in order of time), their `p50`, `p90`, `p99`
            (seconds; None for too few samples) and `images_per_second`.
        beside: the full-precision model that was measured in turn with it: `model`, `kernel`, `latency`; else None.
        settings: threads, warm-up passes, fingerprint of packed weights: how it was measured.
        disturbed: a sentence for each thing that disturbed it. seen: the facts behind them.
        environment: plain facts of the machine. time: when it began (UTC).
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
    latency: dict[str, Any]
    beside: dict[str, Any] | None
    settings: dict[str, Any]
    disturbed: list[str]
    seen: dict[str, Any]
    environment: dict[str, Any]
    time: str
    schema: int = field(default=SCHEMA)

    @property
    def ratio(self) -> float | None:
        """Median over that of the full-precision model in turn with it, or None where there was none."""
        return self.latency["p50"] / self.beside["latency"]["p50"] if self.beside else None


def path_of(results: Path, model: str, bits: Bits, batch: int, platform: str, processor: str, kernel: str) -> Path:
    """`measurements/<model>-<bits>-b<batch>@<platform>-<processor>-<kernel>.json`.

    The processor is there as the beginning of its name's sha256.
    """
    where = f"{platform}-{hashlib.sha256(processor.encode()).hexdigest()[:6]}-{kernel}"
    what = f"{model[:16]}-{str(bits).lower()}-b{batch}"
    return results / "measurements" / f"{what}@{re.sub(r'[^A-Za-z0-9.]+', '-', where)}.json"


def write(results: Path, measurement: Measurement) -> Path:
    """Write a measurement whole or not at all, in place of an earlier one, and return its path."""
    m = measurement
    path = path_of(results, m.model, Bits(**m.bits), m.batch, m.platform, m.processor, m.kernel)
    plain = asdict(measurement)
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
    for path in sorted((results / "measurements").glob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            yield read(path)
        except RecordInvalid as error:
            yield error


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
    return found


def _sentences(value: Sequence[Any]) -> bool:
    return isinstance(value, list) and all(isinstance(sentence, str) for sentence in value)

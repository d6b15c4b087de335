"""One measurement: a stored cell's model and the full-precision model beside it, with the device to themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import RecordInvalid
from bench.measure import devices, latency
from bench.measure.disturbance import watch
from bench.measure.environment import environment, platform
from bench.measure.latency import EAGER_FP32, FAKE_QUANTIZED
from bench.measure.measurement import Measurement, path_of, read
from bench.measure.quiet import exclusive
from bench.measure.stored import Stored
from bench.records import Record
from bench.spec import FULL, Bits

LOST = "the process was frozen, and what had paused for it went on"


@dataclass(frozen=True)
class Wanted:
    """How to measure.

    Attributes:
        device: `cpu` or `cuda`. threads: of the CPU. samples: of each model.
        wait: seconds to wait for the device.
    """

    device: str
    threads: int
    samples: int
    wait: float

    @property
    def platform(self) -> str:
        return platform(self.device, self.threads)


def known(results: Path, record: Record, batch: int, wanted: Wanted) -> Measurement | None:
    """The measurement of a record's model at a batch size on this machine, if there is an intact one."""
    processor = environment(wanted.device, wanted.threads)["processor"]
    model, bits = record.result["weights"], record.cell.bits
    try:
        return read(path_of(results, model, bits, batch, wanted.platform, processor, FAKE_QUANTIZED))
    except RecordInvalid:
        return None


def measure(stored: Stored, batch: int, wanted: Wanted) -> tuple[Measurement, Measurement]:
    """Measure a cell's model and its full-precision model in turn; the cell's measurement comes first.

    Raises:
        Busy: if the device is not free in time.
    """
    began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    device = devices.name(wanted.device)
    models = {FAKE_QUANTIZED: stored.model.to(wanted.device), EAGER_FP32: stored.full.to(wanted.device)}
    images = latency.inputs(batch, wanted.device)
    with exclusive(device, wait=wanted.wait) as alone, latency.settings(wanted.threads):
        latency.warm_up(models, images)
        with watch(device.removeprefix("cuda-") if wanted.device == "cuda" else None, alone.paused) as seen:
            samples = latency.sample(models, images, wanted.samples)
        lost = [] if alone.still() else [LOST]
    shared = {
        "kind": "latency",
        "name": {"dataset": stored.record.cell.dataset, "model": stored.record.cell.model},
        "platform": wanted.platform,
        "processor": (facts := environment(wanted.device, wanted.threads))["processor"],
        "batch": batch,
        "disturbed": seen.sentences + lost,
        "seen": seen.facts,
        "environment": facts,
        "time": began,
    }
    found = {kernel: latency.summary(batch, seconds) for kernel, seconds in samples.items()}
    return _of_cell(stored, wanted, found, shared), _of_full(stored, wanted, found, shared)


def _of_cell(stored: Stored, wanted: Wanted, found: dict[str, Any], shared: dict[str, Any]) -> Measurement:
    return Measurement(
        kernel=FAKE_QUANTIZED,
        model=stored.record.result["weights"],
        cells=[stored.record.id],
        bits=_plain(stored.record.cell.bits),
        latency=found[FAKE_QUANTIZED],
        beside={"model": stored.init.card.sha256, "kernel": EAGER_FP32, "latency": found[EAGER_FP32]},
        settings=_settings(wanted) | {"packed": stored.packed},
        **shared,
    )


def _of_full(stored: Stored, wanted: Wanted, found: dict[str, Any], shared: dict[str, Any]) -> Measurement:
    card = stored.init.card
    return Measurement(
        kernel=EAGER_FP32,
        model=card.sha256,
        cells=[card.record] if card.record else [],
        bits=_plain(FULL),
        latency=found[EAGER_FP32],
        beside=None,
        settings=_settings(wanted),
        **shared,
    )


def _settings(wanted: Wanted) -> dict[str, Any]:
    return {
        "threads": wanted.threads,
        "warm_up": latency.WARMUP,
        "samples": wanted.samples,
        "memory_format": "channels_last",
        "tf32": False,
    }


def _plain(bits: Bits) -> dict[str, int]:
    return {"w": bits.w, "a": bits.a}

"""The model that is measured, and what a measurement says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from bench.measure.environment import environment
from bench.measure.environment import platform as platform_of
from bench.measure.kernels import EAGER_FP32, FAKE_QUANTIZED
from bench.measure.measurement import ANY, Measurement
from bench.measure.stored import Stored
from bench.spec import FULL, Bits


@dataclass(frozen=True)
class Machine:
    """Where and how it is measured.

    Attributes:
        device: `cpu` or `cuda`. threads: of the CPU. samples: of each model. wait: seconds to wait for the device.
    """

    device: str
    threads: int
    samples: int
    wait: float

    @property
    def platform(self) -> str:
        return platform_of(self.device, self.threads)

    @property
    def environment(self) -> dict[str, Any]:
        return environment(self.device, self.threads)


@dataclass(frozen=True)
class Subject:
    """One model.

    Attributes:
        network: on the CPU in eval mode. kernel: what computes when it is called.
        model, cells, name, bits: as in `Measurement`. settings: what is to be known of how it was stored.
    """

    network: nn.Module
    kernel: str
    model: str
    cells: list[str]
    name: dict[str, str]
    bits: Bits
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Occasion:
    """When something was measured, and what else went on then."""

    time: str | None
    disturbed: list[str] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)


def of(stored: Stored, form: str) -> Subject:
    """The `quantized` model of a cell, or the `full` precision one that its student started from."""
    cell, card = stored.record.cell, stored.init.card
    name = {"dataset": cell.dataset, "model": cell.model}
    if form == "full":
        return Subject(stored.full, EAGER_FP32, card.sha256, [card.record] if card.record else [], name, FULL)
    weights, settings = stored.record.result["weights"], {"packed": stored.packed}
    return Subject(stored.model, FAKE_QUANTIZED, weights, [stored.record.id], name, cell.bits, settings)


def timed(
    subject: Subject,
    machine: Machine,
    occasion: Occasion,
    kind: str,
    kernel: str,
    batch: int,
    values: dict[str, Any],
    settings: dict[str, Any],
    beside: dict[str, Any] | None = None,
) -> Measurement:
    """A measurement of a subject that a machine had a part in."""
    facts = machine.environment
    return Measurement(
        kind=kind,
        kernel=kernel,
        model=subject.model,
        cells=subject.cells,
        name=subject.name,
        bits=_bits(subject),
        platform=machine.platform,
        processor=facts["processor"],
        batch=batch,
        values=values,
        beside=beside,
        settings={"threads": machine.threads, **settings, **subject.settings},
        disturbed=occasion.disturbed,
        seen=occasion.seen,
        environment=facts,
        time=occasion.time,
    )


def counted(subject: Subject, kind: str, kernel: str, values: dict[str, Any]) -> Measurement:
    """A measurement of a subject that no machine had a part in."""
    return Measurement(
        kind=kind,
        kernel=kernel,
        model=subject.model,
        cells=subject.cells,
        name=subject.name,
        bits=_bits(subject),
        platform=ANY,
        processor=ANY,
        batch=1,
        values=values,
        beside=None,
        settings=subject.settings,
        disturbed=[],
        seen={},
        environment={},
        time=None,
    )


def _bits(subject: Subject) -> dict[str, int]:
    return {"w": subject.bits.w, "a": subject.bits.a}

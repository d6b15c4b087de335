"""Measuring a stored cell: its model and the full-precision model beside it, with the device to themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.errors import BenchError
from bench.measure import cost, devices, energy, footprint, latency
from bench.measure.disturbance import watch
from bench.measure.kernels import NONE
from bench.measure.measurement import Measurement
from bench.measure.quiet import exclusive
from bench.measure.stored import Stored
from bench.measure.subject import Machine, Occasion, Subject, counted, of, timed

LOST = "the process was frozen, and what had paused for it went on"
EAGER = {"memory_format": "channels_last", "tf32": False}


class NotHere(BenchError):
    """Something that this machine cannot measure."""


@contextlib.contextmanager
def alone(machine: Machine) -> Iterator[Occasion]:
    """Have the device to oneself, with its threads; what is yielded is filled when the block ends.

    Raises:
        Busy: if the device is not free in time.
    """
    occasion = Occasion(_now())
    device = devices.name(machine.device)
    with exclusive(device, wait=machine.wait) as held, latency.settings(machine.threads):
        with watch(devices.uuid(machine.device), held.paused) as seen:
            yield occasion
        lost = [] if held.still() else [LOST]
    occasion.disturbed.extend(seen.sentences + lost)
    occasion.seen.update(seen.facts)


def eager(stored: Stored, machine: Machine, batch: int) -> list[Measurement]:
    """Latency of both models layer by layer, in turn."""
    images, pair = latency.inputs(batch, machine.device), (of(stored, "quantized"), of(stored, "full"))
    passes = {each.kernel: partial(each.network.to(machine.device), images) for each in pair}
    return _in_turn(pair, passes, machine, batch, [EAGER, EAGER])


def runtime(stored: Stored, machine: Machine, batch: int) -> list[Measurement]:
    """Latency of both models under onnxruntime, in turn; on a CPU alone.

    Raises:
        MissingExtra: if a package of the extra `export` is missing. NotHere: for a GPU.
    """
    if machine.device != "cpu":
        raise NotHere("onnxruntime: its integer kernels are the CPU's; give --device cpu for its rows")
    from bench.export.session import runtime as exported

    models = [exported(stored, form, machine.threads) for form in ("integer", "fp32")]
    images = latency.inputs(batch, "cpu").contiguous().numpy()
    passes = {each.kernel: partial(each.run, images) for each in models}
    settings = [{"convolutions": each.convolutions, "integer_convolutions": each.integer} for each in models]
    return _in_turn((of(stored, "quantized"), of(stored, "full")), passes, machine, batch, settings)


def memory(stored: Stored, form: str, machine: Machine, batch: int, results: Path) -> list[Measurement]:
    """Peak memory of passes of the model of a form, in a process of its own."""
    subject, values = of(stored, form), footprint.peaks(results, stored.record, form, machine, batch)
    settings = {**EAGER, "passes": footprint.PASSES}
    return [timed(subject, machine, Occasion(_now()), "memory", subject.kernel, batch, values, settings)]


def joules(stored: Stored, form: str, machine: Machine, batch: int) -> list[Measurement]:
    """Energy of passes of the model of a form.

    Raises:
        NotHere: where there is no counter.
    """
    if energy.Meter(devices.uuid(machine.device)).joules() is None:
        raise NotHere(f"energy: NVML reads no energy counter on this {machine.device}")
    subject, settings = of(stored, form), {**EAGER, "warm_up": latency.WARMUP}
    run = partial(subject.network.to(machine.device), latency.inputs(batch, machine.device))
    with alone(machine) as occasion, torch.inference_mode():
        latency.warm_up([run], machine.device)
        values = energy.consumption(run, machine.device, batch)
    return [timed(subject, machine, occasion, "energy", subject.kernel, batch, values, settings)]


def counts(stored: Stored, form: str) -> list[Measurement]:
    """Operations and bytes of the model of a form, which no machine has a part in."""
    subject = of(stored, form)
    return [counted(subject, "cost", NONE, cost.cost(subject.network.cpu()))]


def _in_turn(
    pair: Sequence[Subject],
    passes: Mapping[str, Callable[[], object]],
    machine: Machine,
    batch: int,
    settings: Sequence[dict[str, Any]],
) -> list[Measurement]:
    """Latencies of a quantized and a full-precision model, whose passes are given by kernel, as are their settings."""
    with alone(machine) as occasion, torch.inference_mode():
        latency.warm_up(passes.values(), machine.device)
        samples = latency.sample(passes, machine.device, machine.samples)
    found = {kernel: latency.summary(batch, seconds) for kernel, seconds in samples.items()}
    _, plain = passes
    beside = {"model": pair[1].model, "kernel": plain, "values": found[plain]}
    common = {"warm_up": latency.WARMUP, "samples": machine.samples}
    return [
        timed(each, machine, occasion, "latency", kernel, batch, found[kernel], common | extra, turn)
        for each, kernel, extra, turn in zip(pair, passes, settings, (beside, None), strict=True)
    ]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

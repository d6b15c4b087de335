"""One training iteration of each method (W4A4, ResNet-20, the method's batch) beside others, in turn.

Beside the plain transcription, which is what its authors' program does, and beside the convolutions and matrix products
of that very iteration alone; that of AKT and BAG also beside that of the method they build on, at the same batch;
fine-tuning beside the same step of a network that is not quantized. QKD's is
one of co-study, HAST's one of training. Transcriptions are always in fp32 and NCHW; those of HAST and QKD are given
images by the adapter's source, of which drawing is part of both. On a GPU if there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transcription_hast
import transcription_qkd
from adapters import DEVICE, GPU, Adapter
from bare import bare
from beside import Beside, Work
from tiny import network
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transcription import ConditionalGenerator, Program
from transcription_adadfq import AdaDFQProgram, akt_features, bag_features, quantized_generator

from methods.parts.taps import convolutions, residual_bodies

ROUNDS, WARMUP = (50, 3) if GPU else (5, 1)
SMALL, MORE = 100, 4
"""Batches of fewer images get so many times the rounds."""


def noise(batch: int) -> tuple[Tensor, Tensor]:
    return torch.randn(batch, 100).to(DEVICE), torch.randint(10, (batch,)).to(DEVICE)


def program(kind: type[Program], prepare: Callable[[nn.Module], nn.Module] = nn.Module.train, **more: Any) -> Program:
    """A transcription of the GDFQ family; `prepare` sees its generator."""
    generator = prepare(ConditionalGenerator(10)).to(DEVICE)
    networks = (network().to(DEVICE), network().to(DEVICE))
    made = kind(*networks, generator, (4, 4), warmup=1, milestones=(), published=True, **more)
    made.student.to(DEVICE)
    return made


def generated(kind: type[Program], **more: Any) -> Callable[[Adapter], Work]:
    """What makes the iteration of such a transcription, past its warm-up."""

    def make(adapter: Adapter) -> Work:
        made = program(kind, **more)
        made.iteration(0, *noise(adapter.batch))
        return lambda: made.iteration(1, *noise(adapter.batch))

    return make


def hast(adapter: Adapter) -> Work:
    made = program(transcription_hast.Program)
    made.calibrate(*noise(16))
    return lambda: made.train(1, adapter.draw().images.contiguous())


def qkd(adapter: Adapter) -> Work:
    networks = (adapter.model(role).to(memory_format=torch.contiguous_format) for role in ("init", "tutor"))
    with DEVICE:
        made = transcription_qkd.Program(*networks, (4, 4), [adapter.draw().images.contiguous()])

    def iterate() -> None:
        batch = adapter.draw()
        made.iteration("CS", batch.images.contiguous(), batch.labels, 0.5, 0.5)

    return iterate


def base(adapter: Adapter) -> Work:
    return Adapter("adadfq", adapter.given.cell.precision, adapter.batch).iterate


def unquantized(adapter: Adapter) -> Work:
    model = adapter.model("init")
    sgd = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9, nesterov=True)

    def iterate() -> None:
        batch = adapter.draw()
        with adapter.given.autocast():
            logits = model(batch.images)
        loss = cross_entropy(logits.float(), batch.labels)
        sgd.zero_grad()
        loss.backward()
        sgd.step()

    return iterate


def names(find: Callable[[nn.Module], list[nn.Module]]) -> list[str]:
    """Names of the modules that are compared."""
    model = network()
    return [name for name, module in model.named_modules() if any(module is found for found in find(model))]


AKT_LOSS = {"features": akt_features, "weight": 1000.0, "taps": names(residual_bodies)}
BAG_LOSS = {"features": bag_features, "weight": 50 * 9 / 21, "taps": names(convolutions)}
PLAIN, BASE = "the plain transcription", "adadfq at the same batch"

OTHERS: dict[str, dict[str, Callable[[Adapter], Work]]] = {
    "gdfq": {PLAIN: generated(Program)},
    "adadfq": {PLAIN: generated(AdaDFQProgram)},
    "akt": {PLAIN: generated(AdaDFQProgram, **AKT_LOSS), BASE: base},
    "bag": {PLAIN: generated(AdaDFQProgram, prepare=lambda g: quantized_generator(g, 4), **BAG_LOSS), BASE: base},
    "hast": {PLAIN: hast},
    "qkd": {PLAIN: qkd},
    "finetune": {"the step of a network that is not quantized": unquantized},
}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", OTHERS)
def test_step(beside: Beside, name: str, precision: str) -> None:
    adapter = Adapter(name, precision)
    others = {called: make(adapter) for called, make in OTHERS[name].items()}
    others["its bare convolutions"] = bare(adapter.iterate)
    beside.in_turn(adapter.iterate, others, rounds=ROUNDS * (1 if adapter.batch >= SMALL else MORE), warmup=WARMUP)
    where = torch.cuda.get_device_name() if GPU else f"cpu, {torch.get_num_threads()} threads"
    beside.benchmark.extra_info.update(device=where, batch=adapter.batch)

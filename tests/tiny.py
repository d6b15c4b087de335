"""Small deterministic networks and setups, to run adapters on without data, teachers or the runner."""

from __future__ import annotations

import contextlib
import copy
import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.artifacts import Artifacts
from bench.errors import DataAccessDenied
from bench.method import Batch, Half, Learner, Method, Setup, Source, options_of
from bench.models.registry import build
from bench.quant.convert import quantize, tracking
from bench.quant.ranges import RangeRule
from bench.spec import Bits, Cell
from methods.parts.synthesis import Recipe

FEW = Recipe(beta=10.0, gamma=2.0, iterations=2, parts=2, batch=8)
"""HAST's images in a second, for tests of what comes after: `monkeypatch.setattr(HAST, "recipe", lambda *_: FEW)`."""


@contextlib.contextmanager
def _single() -> Iterator[None]:
    """Within it, new tensors are in single precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@cache
def _network(name: str, classes: int) -> nn.Module:
    """A network whose batch norms have uneven scales and shifts, and statistics of the data that reach them."""
    with torch.random.fork_rng(devices=[]), _single():
        torch.manual_seed(7)
        network = build(name, classes).train()
        for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0, 0.2)
            norm.momentum = 1.0
        with torch.no_grad():
            network(torch.randn(32, 3, 32, 32))
        for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.momentum = 0.1
    return network.eval()


def network(name: str = "resnet20", classes: int = 10) -> nn.Module:
    """A fresh copy of a full-precision network with made-up weights, in eval mode."""
    return copy.deepcopy(_network(name, classes))


def images(count: int = 4, seed: int = 0) -> Tensor:
    """Normalised images (count, 3, 32, 32)."""
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def student(bits: str = "W4A4", name: str = "resnet20", rule: RangeRule = "corrected") -> nn.Module:
    """A quantized network that has seen one batch of `images`."""
    model = quantize(network(name), Bits.parse(bits), rule)
    with torch.no_grad(), tracking(model):
        model(images())
    return model


def denied() -> tuple[Tensor, Tensor]:
    raise DataAccessDenied("no training images here")


@cache
def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for the artifacts of this process, so that tests make equal ones once."""
    return tempfile.TemporaryDirectory(prefix="artifacts-")


def setup(
    method: Method,
    bits: str = "W4A4",
    *,
    batch: int = 4,
    steps: int = 2,
    seed: int = 0,
    precision: str = "fp32",
    options: dict[str, Any] | None = None,
    model: Callable[[str], nn.Module] | None = None,
    training: Callable[[], tuple[Tensor, Tensor]] = denied,
    artifacts: Artifacts | None = None,
    **schedule: Any,
) -> Setup:
    """A setup with one epoch of `steps` steps a phase; `schedule` changes further fields of the schedule."""
    phases = tuple(replace(phase, epochs=1) for phase in method.card.schedule.phases)
    small = replace(method.card.schedule, **({"phases": phases, "batch": batch, "steps": steps} | schedule))
    cell = Cell("shapes10", "resnet20", method.card.name, Bits.parse(bits), "paper", seed, precision, options or {})
    return Setup(
        cell=cell,
        schedule=small,
        options=options_of(method.card, cell.options),
        classes=10,
        device=torch.device("cpu"),
        model=model or (lambda role: network().to(memory_format=torch.channels_last)),
        images=training,
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.25, 0.3),
        artifacts=artifacts or Artifacts(Path(scratch().name), "tests"),
    )


def run(given: Setup, source: Source, *learners: Learner, start: int = 0, stop: int | None = None) -> list[Batch]:
    """Steps `start` .. `stop` of a schedule; every learner learns from every batch. Returns the batches."""
    batches = []
    for step in given.schedule.walk(start):
        if step.index == stop:
            break
        batches.append(source.draw(step, learners[0].student()))
        for learner in learners:
            learner.learn(step, batches[-1])
    return batches


def stored(half: Half) -> dict[str, Any]:
    """A half's state as it comes back from a checkpoint file."""
    file = io.BytesIO()
    torch.save(half.state(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def changed(before: dict[str, Tensor], model: nn.Module) -> set[str]:
    """Names of the parameters and buffers that are not what they were, bit for bit."""
    after = model.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}

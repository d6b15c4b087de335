"""An adapter of the GDFQ family and its transcription, side by side from the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import transcription
from tiny import network, snapshot
from torch import Tensor, nn

from bench.method import Method, Setup
from bench.quant.layers import QuantizedActivation
from methods.parts.generator import LATENT, Generator

NEAR = {"rtol": 1e-5, "atol": 1e-5}


def exact(role: str) -> nn.Module:
    """The full-precision network in double precision, as `Setup.model` gives it."""
    return network().double().to(memory_format=torch.channels_last)


def program(
    given: Setup,
    published: bool,
    kind: Callable[..., transcription.Program] = transcription.Program,
    prepare: Callable[[nn.Module], nn.Module] = lambda generator: generator,
    **more: Any,
) -> transcription.Program:
    """The transcription, from the weights that the adapter's halves start with; `prepare` sees its generator."""
    with given.seeded("generator"):
        generator = Generator(10)
    twin = transcription.ConditionalGenerator(10)
    with torch.no_grad():
        for own, theirs in zip(twin.parameters(), generator.parameters(), strict=True):
            own.copy_(theirs)
    bits = (given.cell.bits.w, given.cell.bits.a)
    full = [given.model(role).to(torch.get_default_dtype()) for role in ("tutor", "init")]
    rules = {"warmup": 1, "milestones": given.schedule.milestones, "published": published}
    return kind(*full, prepare(twin), bits, **rules, **more)


def draws(given: Setup) -> Iterator[tuple[Tensor, Tensor]]:
    """Noise and labels in the order in which the adapters draw them."""
    random = given.stream("noise")
    while True:
        noise = torch.randn(given.schedule.batch, LATENT, generator=random)
        yield noise, torch.randint(10, (given.schedule.batch,), generator=random)


def movement(before: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() - before[name] for name, p in model.named_parameters()}


def assert_equal_iterations(method: Method, given: Setup, theirs: transcription.Program) -> None:
    """All steps of a schedule with one epoch a phase: parameters within 1e-5, updates within 0.1 %, ranges too."""
    source, learner = method.source(given), method.learner(given)
    drawn, start = draws(given), snapshot(learner.student())
    for step in given.schedule.walk():
        batch = source.draw(step, learner.student())
        learner.learn(step, batch)
        z, y = next(drawn)
        theirs.iteration(step.epoch, z, y)
        assert torch.equal(batch.labels, y)

    for own, other in zip(source.generator.parameters(), theirs.generator.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=1e-5)
    others = dict(theirs.student.named_parameters())
    moves = movement(start, learner.student())
    assert any(float(moved.norm()) > 0 for moved in moves.values())
    for name, moved in moves.items():
        other = others[name].detach() - start[name]
        torch.testing.assert_close(moved, other, rtol=0, atol=1e-5)
        assert float((moved - other).norm()) <= 1e-3 * float(other.norm()), name  # updates are far below 1e-5
    ranges = [m.range() for m in theirs.student.modules() if isinstance(m, transcription.QuantAct)]
    own_ranges = [m.range.bounds() for m in learner.student().modules() if isinstance(m, QuantizedActivation)]
    torch.testing.assert_close(own_ranges, ranges, check_dtype=False, rtol=1e-5, atol=1e-6)

"""A method's halves in the middle of its schedule, ready to be timed. On a GPU if there is one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch
from tiny import network, setup
from torch import Tensor, nn

from bench.method import Batch, Method, Setup
from bench.registry import get
from methods.hast import HAST
from methods.parts.synthesis import Recipe

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
GPU = DEVICE.type == "cuda"


class FewHAST(HAST):
    """HAST on images that are made in a second."""

    def recipe(self, given: Setup) -> Recipe:
        return Recipe(beta=10.0, gamma=2.0, iterations=1, parts=1, batch=256)


class Adapter:
    """A method's halves in the middle of its schedule, ranges tracked beforehand."""

    def __init__(self, name: str, precision: str, batch: int | None = None, bits: str = "W4A4") -> None:
        method: Method = FewHAST() if name == "hast" else get(name)
        self.batch = batch or method.card.schedule.batch
        self.tutor = method.card.tutor or "resnet20"
        told = {"batch": self.batch, "steps": 10_000, "precision": precision}
        self.given = setup(method, bits, model=self.model, training=training, **told)
        self.given.device = DEVICE
        self.source, self.learner = method.source(self.given), method.learner(self.given)
        first = self.given.schedule.step(0)
        self.learner.learn(first, self.source.draw(first, self.learner.student()))
        self.steps: Iterator[int] = count(self.given.schedule.total // 2)

    def model(self, role: str) -> nn.Module:
        name = self.tutor if role == "tutor" else "resnet20"
        return network(name).to(DEVICE, memory_format=torch.channels_last)

    def iterate(self) -> None:
        step = self.given.schedule.step(next(self.steps))
        self.learner.learn(step, self.source.draw(step, self.learner.student()))

    def learn(self, batch: Batch) -> None:
        self.learner.learn(self.given.schedule.step(next(self.steps)), batch)

    def draw(self) -> Batch:
        return self.source.draw(self.given.schedule.step(next(self.steps)), self.learner.student())


def training() -> tuple[Tensor, Tensor]:
    """Made-up training images uint8 (5000, 32, 32, 3) and their labels."""
    images = torch.randint(256, (5000, 32, 32, 3), dtype=torch.uint8)
    return images.to(DEVICE), torch.randint(10, (5000,)).to(DEVICE)

"""An adapter's two halves on their way through a small schedule, as a group takes them, and what each step left."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.conformance.digests import Digests, digests
from bench.method import Batch, Method, Setup
from bench.runner import checkpoint
from bench.schedule import Step


class Run:
    """A source and a learner, freshly built.

    Attributes:
        start: index of the first step taken. batches: by step, the digests of the batch.
        losses: by step, every scalar by half and name. touched: steps at which learning changed the batch.
        attached: fields of batches, but for the student's answer, that still hang on a graph.
        student: digests of the student after the last step.
    """

    def __init__(self, method: Method, setup: Setup) -> None:
        self.setup = setup
        self.source, self.learner = method.source(setup), method.learner(setup)
        self.start = 0
        self.batches: list[Digests] = []
        self.losses: list[Mapping[str, Any]] = []
        self.touched: list[int] = []
        self.attached: set[str] = set()
        self.student: Digests = {}

    def whole(self) -> Run:
        """Take every step that is left."""
        for step in self.setup.schedule.walk(self.start):
            self.take(step)
        return self.ended()

    def ended(self) -> Run:
        """Look at the student after the last step."""
        self.student = digests(self.learner.student().state_dict())
        return self

    def take(self, step: Step, learning: AbstractContextManager[object] | None = None) -> None:
        """Draw and learn, the latter within the context `learning`."""
        batch = self.draw(step)
        with learning or nullcontext():
            learned = self.learner.learn(step, batch)
        if digests(_fields(batch)) != self.batches[-1]:
            self.touched.append(step.index)
        halves = {"draw": self.source.losses(), "learn": learned, "watched": self.learner.watched()}
        self.losses.append({f"{half}/{name}": loss for half, found in halves.items() for name, loss in found.items()})

    def draw(self, step: Step) -> Batch:
        """Draw alone; the student stays as it is."""
        batch = self.source.draw(step, self.learner.student())
        self.batches.append(digests(_fields(batch)))
        self.attached |= {name for name, value in _fields(batch).items() if name != "answer" and _attached(value)}
        return batch

    def save(self, path: Path) -> None:
        """Write both states as a group's checkpoint is written."""
        checkpoint.save(path, {"source": self.source.state(), "learner": self.learner.state()})

    def load(self, path: Path, start: int) -> Run:
        """Go on from the states in a checkpoint that was written before step `start`."""
        state = checkpoint.load(path, self.setup.device)
        self.source.load(state["source"])
        self.learner.load(state["learner"])
        self.start = start
        return self


@contextmanager
def stirred(seed: int) -> Iterator[None]:
    """Within it, the global random streams of Python, numpy and torch's CPU are those of a seed; restored after."""
    plain, array = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(plain)
            np.random.set_state(array)


def _fields(batch: Batch) -> dict[str, Any]:
    return {field.name: getattr(batch, field.name) for field in fields(batch)}


def _attached(value: Any) -> bool:
    tensors = value if isinstance(value, tuple) else (value,)
    return any(isinstance(tensor, Tensor) and tensor.requires_grad for tensor in tensors)

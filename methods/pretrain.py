"""Training of full-precision models: the producer of every teacher that is not brought from outside.

Cross-entropy with SGD and Nesterov momentum under a one-cycle learning rate (linear up, linear down to zero);
L. Smith and N. Topin, "Super-Convergence", 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench.method import Batch, Card, Learner, Method, Setup, State
from bench.schedule import Phase, Schedule, Step
from methods.parts.images import LabelledImages
from methods.parts.precision import widened


@dataclass(frozen=True)
class Options:
    """The recipe.

    Attributes:
        peak: highest learning rate. warmup: share of steps until it is reached.
        momentum, weight_decay: of SGD; decay acts on convolution and linear weights alone.
    """

    peak: float = 0.2
    warmup: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4


class Pretraining(Learner):
    """A network trained from scratch on labelled images."""

    def __init__(self, setup: Setup) -> None:
        self.options, self.autocast = setup.options, setup.autocast
        with setup.seeded("model"):
            self.model = setup.model("new")
        weights = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        decayed = {"params": weights, "weight_decay": self.options.weight_decay}
        groups = [decayed, {"params": others, "weight_decay": 0.0}]
        self.sgd = torch.optim.SGD(groups, lr=self.options.peak, momentum=self.options.momentum, nesterov=True)

    def learn(self, step: Step, batch: Batch) -> Mapping[str, Tensor]:
        self.model.train()
        for group in self.sgd.param_groups:
            group["lr"] = self.options.peak * self._cycle(step.progress)
        with self.autocast():
            logits = widened(self.model(batch.images))
        loss = cross_entropy(logits, batch.labels)
        self.sgd.zero_grad()
        loss.backward()
        self.sgd.step()
        return {"cross_entropy": loss.detach()}

    def _cycle(self, progress: float) -> float:
        """Linear from 0 to 1 over the warm-up, then linear back to 0."""
        up, down = (progress + 1e-3) / self.options.warmup, (1 - progress) / (1 - self.options.warmup)
        return min(up, down)

    def student(self) -> nn.Module:
        return self.model.eval()

    def state(self) -> State:
        return {"model": self.model.state_dict(), "sgd": self.sgd.state_dict()}

    def load(self, state: State) -> None:
        self.model.load_state_dict(state["model"])
        self.sgd.load_state_dict(state["sgd"])


class Pretrain(Method):
    card = Card(
        name="pretrain",
        version="2",
        title="full-precision training",
        citation="L. Smith and N. Topin, Super-Convergence, 2018 (one-cycle learning rate)",
        schedule=Schedule(phases=(Phase("train", 60),), batch=128),
        data="train",
        options=Options,
        quantizes=False,
    )

    def source(self, setup: Setup) -> LabelledImages:
        return LabelledImages(setup)

    def learner(self, setup: Setup) -> Pretraining:
        return Pretraining(setup)


METHOD = Pretrain

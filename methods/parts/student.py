"""The quantized student of the GDFQ family and how it is fine-tuned."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from bench.errors import OptionInvalid
from bench.method import Batch, Learner, Setup, State
from bench.quant.convert import quantize, tracking
from bench.quant.layers import QuantizedWeight
from bench.schedule import Phase, Schedule, Step
from methods.parts.precision import widened

WARMUP = "warmup"

Losses = Mapping[str, Tensor]
Strategy = Callable[[Batch, Losses], Losses]


def published(epochs: int, batch: int) -> Schedule:
    """The family's schedule: 4 epochs of warm-up, 200 steps an epoch, rates divided by ten at 100, 200 and 300."""
    phases = (Phase(WARMUP, 4, updates=False), Phase("train", 396))
    return lasting(Schedule(phases, batch=batch, steps=200, milestones=(100, 200, 300)), epochs, batch)


def lasting(schedule: Schedule, epochs: int, batch: int) -> Schedule:
    """A schedule of warm-up and training with another number of epochs in all and images a step.

    Raises:
        OptionInvalid: if nothing is left after the warm-up, or a batch has fewer than two images.
    """
    warmup, train = schedule.phases
    if epochs <= warmup.epochs or batch < 2:
        raise OptionInvalid(f"epochs must be above {warmup.epochs} (the warm-up) and batch above 1: {epochs}, {batch}")
    return replace(schedule, phases=(warmup, replace(train, epochs=epochs - warmup.epochs)), batch=batch)


class QuantizedStudent(Learner):
    """A student in eval mode throughout: ranges are tracked in the warm-up and frozen after, when weights move.

    SGD with Nesterov momentum 0.9 and weight decay 1e-4 on all parameters; learning rate 1e-4, divided by ten at
    the schedule's milestones (Xu et al., ECCV 2020, and its successors' programs).
    """

    def __init__(self, setup: Setup) -> None:
        self.schedule, self.autocast = setup.schedule, setup.autocast
        rule = setup.options.ranges
        if rule == "auto":
            rule = "published" if setup.schedule.published else "corrected"
        self.model = quantize(setup.model("init"), setup.cell.bits, rule)
        self.rate = setup.options.student_rate
        self.strategy: Strategy = lambda batch, losses: losses
        self.watching = False
        self.norms: Mapping[str, Tensor] = {}
        self.parameters = list(self.model.parameters())
        self.sgd = torch.optim.SGD(
            self.parameters, lr=self.rate, momentum=0.9, nesterov=True, weight_decay=1e-4, fused=True
        )

    @abstractmethod
    def losses(self, batch: Batch) -> Mapping[str, Tensor]:
        """The student's losses on a batch by name; their sum is descended.

        Losses are taken of float32 logits, outside of `self.autocast()`, under which networks run.
        """

    def answer(self, batch: Batch) -> Tensor:
        """The student's logits (B, classes), float32 at least: the ones that came with the batch, or of a new pass."""
        if batch.answer is not None:
            return batch.answer
        with self.autocast():
            return widened(self.model(batch.images))

    def follow(self, strategy: Strategy, perturbing: bool = False) -> None:
        """Descend, from now on, what `strategy` makes of a batch and its losses, right after the student's pass.

        `perturbing` concerns students that look for harder samples; others have no use for it.
        """
        self.strategy = strategy

    def watch_gradients(self) -> None:
        """Keep the norm of each layer's gradient, from now on."""
        self.watching = True

    def learn(self, step: Step, batch: Batch) -> Mapping[str, Tensor]:
        if step.phase == WARMUP:
            with torch.no_grad(), tracking(self.model):
                seen = replace(batch, answer=None)  # ranges observe every batch
                return self.strategy(seen, self.losses(seen))
        for group in self.sgd.param_groups:
            group["lr"] = self.rate * self.schedule.decay(step.epoch)
        losses = self.strategy(batch, self.losses(batch))
        self.sgd.zero_grad()
        torch.stack(list(losses.values())).sum().backward(inputs=self.parameters)
        if self.watching:
            self.norms = self._gradient_norms()
        self.sgd.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def _gradient_norms(self) -> Mapping[str, Tensor]:
        """Euclidean norm of the gradient of each quantized weight, by its layer's name."""
        layers = {name: m.weight.grad for name, m in self.model.named_modules() if isinstance(m, QuantizedWeight)}
        return {f"gradient/{name}": gradient.norm() for name, gradient in layers.items() if gradient is not None}

    def watched(self) -> Mapping[str, Tensor]:
        return self.norms

    def student(self) -> nn.Module:
        return self.model

    def state(self) -> State:
        return {"model": self.model.state_dict(), "sgd": self.sgd.state_dict()}

    def load(self, state: State) -> None:
        self.model.load_state_dict(state["model"])
        self.sgd.load_state_dict(state["sgd"])

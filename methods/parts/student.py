"""The quantized student of the GDFQ family and how it is fine-tuned."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from bench.method import Batch, Learner, Setup, State
from bench.quant.convert import quantize, tracking
from bench.schedule import Step

WARMUP = "warmup"


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
        self.sgd = torch.optim.SGD(
            self.model.parameters(), lr=self.rate, momentum=0.9, nesterov=True, weight_decay=1e-4
        )

    @abstractmethod
    def losses(self, batch: Batch) -> Mapping[str, Tensor]:
        """The student's losses on a batch by name; their sum is descended.

        Networks run under `self.autocast()`; losses are taken of float32 logits, outside of it.
        """

    def learn(self, step: Step, batch: Batch) -> Mapping[str, Tensor]:
        if step.phase == WARMUP:
            with torch.no_grad(), tracking(self.model):
                return self.losses(batch)
        for group in self.sgd.param_groups:
            group["lr"] = self.rate * self.schedule.decay(step.epoch)
        losses = self.losses(batch)
        self.sgd.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        self.sgd.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def student(self) -> nn.Module:
        return self.model

    def state(self) -> State:
        return {"model": self.model.state_dict(), "sgd": self.sgd.state_dict()}

    def load(self, state: State) -> None:
        self.model.load_state_dict(state["model"])
        self.sgd.load_state_dict(state["sgd"])

"""SGD with momentum 0.9 whose learning rates fall to zero along half a cosine.

Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, eq. 5, without restarts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from bench.schedule import Schedule, Step

Groups = list[dict[str, Any]]


def groups(network: nn.Module, rate: float, without: Iterable[nn.Parameter] = ()) -> Groups:
    """Parameter groups of a network: layer weights, which decay by 1e-4, and all smaller parameters, which do not."""
    left = {id(p) for p in without}
    parameters = [p for p in network.parameters() if id(p) not in left]
    weights, others = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    return [{"params": weights, "lr": rate, "weight_decay": 1e-4}, {"params": others, "lr": rate, "weight_decay": 0.0}]


class AnnealedSGD(torch.optim.SGD):
    """SGD over parameter groups whose `lr` is the first one."""

    def __init__(self, parameters: Groups) -> None:
        super().__init__([group | {"initial_lr": group["lr"]} for group in parameters], momentum=0.9)

    def descend(self, progress: float) -> None:
        """One update, `progress` in [0, 1) of the way to a learning rate of zero."""
        for group in self.param_groups:
            group["lr"] = group["initial_lr"] * (1 + math.cos(math.pi * progress)) / 2
        self.step()


def progress_within(schedule: Schedule, step: Step) -> float:
    """Share of the steps of a step's phase that are done before it, in [0, 1)."""
    current = [phase.name for phase in schedule.phases].index(step.phase)
    before = sum(phase.epochs for phase in schedule.phases[:current])
    steps = schedule.total // schedule.epochs
    return (step.index - before * steps) / (schedule.phases[current].epochs * steps)

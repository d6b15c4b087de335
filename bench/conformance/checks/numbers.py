"""Losses: finite scalars on the device at every step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bench.conformance.report import Problem
from bench.conformance.trial import Trial


def check(trial: Trial) -> list[Problem]:
    found: dict[str, Problem] = {}
    for number, losses in enumerate(trial.reference.losses, 1):
        if not any(name.startswith("learn/") for name in losses):
            found.setdefault("learn", Problem("learn", f"returns no loss at step {number}", "return what it descends"))
        for name, loss in losses.items():
            if told := _wrong(loss):
                what, instead = told
                found.setdefault(name, Problem(name, f"{what} at step {number}", instead))
    return list(found.values())


def _wrong(loss: Any) -> tuple[str, str] | None:
    """What is wrong with a loss and what to write instead."""
    if not isinstance(loss, Tensor):
        return f"is a {type(loss).__name__}", "return the tensor: reading its value waits for the device"
    if loss.ndim:
        return f"has shape {tuple(loss.shape)}", "reduce it to a scalar"
    if loss.requires_grad:
        return "hangs on a graph", "return loss.detach()"
    if not torch.isfinite(loss):
        return f"is {float(loss)}", "look for a division by zero or a rate too high; the runner would stop here"
    return None

"""Losses of an epoch, summed on the device, and the first step at which one was not finite."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bench.method import State

NEVER = torch.iinfo(torch.int64).max


class Tally:
    """Mean losses of the current epoch, without a synchronisation a step.

    Attributes:
        names: of the losses, in order. sums: float64 (len(names),). count: steps summed.
        bad: int64 (): index of the first step with a loss that is not finite, or NEVER.
    """

    def __init__(self, device: torch.device) -> None:
        self.names: list[str] = []
        self.sums = torch.zeros(0, dtype=torch.float64, device=device)
        self.bad = torch.tensor(NEVER, device=device)
        self.count = 0

    def add(self, index: int, losses: Mapping[str, Tensor]) -> None:
        """Take in the scalar losses of a step."""
        values = torch.stack([loss.double() for loss in losses.values()])
        if not self.count:
            self.names, self.sums = list(losses), torch.zeros_like(values)
        self.sums += values
        self.count += 1
        self.bad = torch.where(torch.isfinite(values).all(), self.bad, self.bad.clamp_max(index))

    def means(self) -> dict[str, float]:
        """Mean of each loss so far in this epoch."""
        return dict(zip(self.names, (self.sums / max(1, self.count)).tolist(), strict=True))

    def diverged(self) -> int | None:
        """Index of the first step with a loss that was not finite."""
        return None if (bad := int(self.bad)) == NEVER else bad

    def restart(self) -> None:
        """Begin a new epoch."""
        self.count = 0

    def state(self) -> State:
        return {"names": self.names, "sums": self.sums, "bad": self.bad, "count": self.count}

    def load(self, state: State) -> None:
        self.names, self.sums, self.bad, self.count = (state[k] for k in ("names", "sums", "bad", "count"))

"""Losses are taken in at least float32, whatever precision the networks ran in."""

from __future__ import annotations

import torch
from torch import Tensor


def widened(logits: Tensor) -> Tensor:
    """float32 for half-precision logits, whose softmax would be too coarse; wider ones as they are."""
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits

"""How far an exported model's answers are those of the model that it was made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

SAME = 1e-4
"""Largest difference of logits that mere rounding of sums makes; a code that is rounded the other way makes more."""


@dataclass(frozen=True)
class Agreement:
    """Two models on the same images.

    Attributes:
        images: how many. model, exported: shares of them that each gets right.
        differ: on how many the two answer differently.
        rounded: on how many of the others some activation was rounded to another code, seen by logits that differ by
            more than `SAME`.
    """

    images: int
    model: float
    exported: float
    differ: int
    rounded: int


@torch.inference_mode()
def agreement(
    model: nn.Module, run: Callable[[np.ndarray], np.ndarray], batches: Iterable[tuple[Tensor, Tensor]]
) -> Agreement:
    """Compare a model on the CPU with its exported form.

    Args:
        run: images to logits, see `session.Runtime`. batches: normalised images (B, 3, 32, 32) with labels (B,).
    """
    right, other, differ, rounded, images = 0, 0, 0, 0, 0
    for given, labels in batches:
        wanted, found = model(given).numpy(), run(given.contiguous().numpy())
        answers, truth = (wanted.argmax(1), found.argmax(1)), labels.numpy()
        changed = answers[0] != answers[1]
        images += len(truth)
        right += int((answers[0] == truth).sum())
        other += int((answers[1] == truth).sum())
        differ += int(changed.sum())
        rounded += int(((np.abs(wanted - found).max(1) > SAME) & ~changed).sum())
    return Agreement(images, right / images, other / images, differ, rounded)

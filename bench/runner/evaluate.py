"""Scoring a model on test images: always fp32, resident tensors, large batches."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bench.quant.convert import weights_held

CPU_BATCH, GPU_BATCH = 100, 500
"""Images at once: on a CPU as many as its caches hold the maps of; answers do not depend on it there."""


@dataclass(frozen=True)
class TestImages:
    """A test split on the device.

    Attributes:
        images: uint8 (N, H, W, 3), canonical order. labels: int64 (N,). mean, std: (3,), of pixels in [0, 1].
    """

    images: Tensor
    labels: Tensor
    mean: Tensor
    std: Tensor

    @property
    def batch(self) -> int:
        """Images at once with which passes over all of them are fast."""
        return CPU_BATCH if self.images.device.type == "cpu" else GPU_BATCH

    def normalised(self, start: int, stop: int) -> Tensor:
        """Images [start, stop) as float32 (B, 3, H, W) in channels-last memory."""
        return ((self.images[start:stop].float() / 255 - self.mean) / self.std).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Score:
    """How a model answered a test split.

    Attributes:
        top1, top5: shares of images whose label is the first, or among the first five, of the answers.
        correct: bool (N,): which were right. answers: int64 (N,): the first answers.
    """

    top1: float
    top5: float
    correct: np.ndarray
    answers: np.ndarray

    def packed(self) -> str:
        """Correctness as base64 of packed bits, one an image in canonical order."""
        return base64.b64encode(np.packbits(self.correct).tobytes()).decode()


@torch.no_grad()
def score(model: nn.Module, test: TestImages) -> Score:
    """Top-1 and top-5 of a model in eval mode."""
    answers = []
    with weights_held(model):
        for start in range(0, len(test.labels), test.batch):
            logits = model(test.normalised(start, start + test.batch))
            answers.append(logits.topk(min(5, logits.shape[1]), dim=1).indices)
    best = torch.cat(answers)
    table = (best == test.labels[:, None]).cpu().numpy()
    return Score(float(table[:, 0].mean()), float(table.any(axis=1).mean()), table[:, 0], best[:, 0].cpu().numpy())

"""Batch statistics at a frozen network's batch norms, and the loss that draws them to the stored ones.

Yin et al., "Dreaming to Distill" (DeepInversion), CVPR 2020; Xu et al., ECCV 2020, eq. 5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss


class _FrozenNormWithStatistics(torch.autograd.Function):
    """Batch norm by stored statistics that also returns the batch's own, with one backward pass for all three."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = batch_statistics(x)
        ctx.save_for_backward(x, scale, mean)
        return affine(x, scale, shift), mean, variance

    @staticmethod
    def backward(ctx: Any, g_y: Tensor, g_mean: Tensor, g_variance: Tensor) -> tuple[Tensor, None, None]:
        x, scale, mean = ctx.saved_tensors
        count = x.numel() // x.shape[1]
        slope = 2 * g_variance / count
        g_x = affine(x, slope, g_mean / count - slope * mean)
        return g_x.add_(affine(g_y, scale, torch.zeros_like(scale))), None, None


def batch_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance, at least float32 (C,) each, of (B, C, H, W) over all but C.

    Batch norm's own kernel finds both in one pass over channels-last memory, ten times as fast as `var_mean`. It would
    move the statistics it is given, with a momentum, and gives its own in their dtype.
    """
    unmoved = torch.zeros(x.shape[1], dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
    mean, variance = torch.batch_norm_update_stats(x, unmoved, unmoved, 0.0)
    return mean, variance


def affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """x * scale + shift by channels (C,) of (B, C, H, W), in the dtype of `x` and rounded once.

    Batch norm's own kernel takes half-precision maps with float32 channels, which elementwise operations would widen.
    """
    zeros, ones = torch.zeros_like(scale), torch.ones_like(scale)
    return torch.native_batch_norm(x, scale, shift, zeros, ones, False, 0.0, 0.0)[0]


class WatchedBatchNorm(nn.BatchNorm2d):
    """A frozen batch norm that keeps its distance to the stored statistics at the last forward."""

    distance: Tensor

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        y, mean, variance = _FrozenNormWithStatistics.apply(x, scale, self.bias - self.running_mean * scale)
        self.distance = mse_loss(mean, self.running_mean) + mse_loss(variance, self.running_var)
        return y


class WatchedTutor(nn.Module):
    """A frozen full-precision network that returns logits and the batch-norm statistics loss together."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in self.norms:
            norm.__class__ = WatchedBatchNorm

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes) and the mean over layers of (mean distance + variance distance), a scalar.

        Distances are squared differences averaged over a layer's channels; variances are biased.
        """
        logits = self.model(images)
        return logits, torch.stack([norm.distance for norm in self.norms]).mean()

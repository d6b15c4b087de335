"""Batch statistics at a frozen network's batch norms, and the loss that draws them to the stored ones.

Yin et al., "Dreaming to Distill" (DeepInversion), CVPR 2020; Xu et al., ECCV 2020, eq. 5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss


class _FrozenNormWithStatistics(torch.autograd.Function):
    """Batch norm by stored statistics that also returns the batch's own, with one fused backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = batch_statistics(x)
        ctx.save_for_backward(x, scale, mean)
        y = torch.addcmul(_maps(shift), x, _maps(scale)).to(x.dtype)
        return y, mean, variance

    @staticmethod
    def backward(ctx: Any, g_y: Tensor, g_mean: Tensor, g_variance: Tensor) -> tuple[Tensor, None, None]:
        x, scale, mean = ctx.saved_tensors
        count = x.numel() // x.shape[1]
        slope = 2 * g_variance / count
        offset = g_mean / count - slope * mean
        g_x = torch.addcmul(torch.addcmul(_maps(offset), x, _maps(slope)), g_y, _maps(scale))
        return g_x.to(x.dtype), None, None


def batch_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance, float32 (C,) each, of (B, C, H, W) over all but C.

    Batch norm's own kernel finds both in one pass over channels-last memory, ten times as fast as `var_mean`.
    """
    one, zero = torch.ones(x.shape[1], device=x.device), torch.zeros(x.shape[1], device=x.device)
    _, mean, inverse_deviation = torch.native_batch_norm(x, one, zero, None, None, True, 0.0, 0.0)
    return mean, torch.where(inverse_deviation > 0, inverse_deviation.pow(-2), 0.0)  # 0 stands for a constant channel


def _maps(channel: Tensor) -> Tensor:
    """(C,) as (1, C, 1, 1)."""
    return channel.view(1, -1, 1, 1)


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

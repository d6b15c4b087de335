"""Batch statistics at a frozen network's batch norms, and the loss that draws them to the stored ones.

Yin et al., "Dreaming to Distill" (DeepInversion), CVPR 2020; Xu et al., ECCV 2020, eq. 5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _FrozenNorm(torch.autograd.Function):
    """Batch norm by stored statistics, and the batch's own.

    Both passes use batch norm's kernel for inference, which takes half-precision maps with float32 channels, where
    elementwise operations would widen the maps; the one for gradients would also find those of weight and bias.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: WatchedBatchNorm) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = batch_statistics(x, norm.ones)
        ctx.save_for_backward(x, mean)
        ctx.norm = norm
        return _scaled(x, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.eps), mean, variance

    @staticmethod
    def backward(ctx: Any, g_y: Tensor, g_mean: Tensor, g_variance: Tensor) -> tuple[Tensor, None]:
        x, mean = ctx.saved_tensors
        norm, values = ctx.norm, x.numel() // len(mean)
        by_y = _scaled(g_y, norm.weight, None, norm.zeros, norm.running_var, norm.eps)
        return by_y.add_(_scaled(x, g_variance * (2 / values), g_mean / values, mean, norm.ones, 0.0)), None


def _scaled(x: Tensor, weight: Tensor, bias: Tensor | None, mean: Tensor, variance: Tensor, eps: float) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias of maps (B, C, H, W), by channel."""
    return torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, eps)[0]


def batch_statistics(x: Tensor, unmoved: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) of (B, C, H, W) over all but C, in the dtype of `unmoved` (C,).

    Batch norm's own kernel finds both in one pass over channels-last memory, ten times as fast as `var_mean`. It moves
    the statistics it is given, but here with a momentum of 0.
    """
    mean, variance = torch.batch_norm_update_stats(x, unmoved, unmoved, 0.0)
    return mean, variance


class WatchedBatchNorm(nn.BatchNorm2d):
    """A frozen batch norm that keeps the statistics (C,) of the last batch, mean and biased variance."""

    ones: Tensor
    zeros: Tensor
    seen: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> WatchedBatchNorm:
        """`norm` itself turned into this class."""
        norm.__class__ = cls
        norm.register_buffer("ones", torch.ones_like(norm.running_var), persistent=False)
        norm.register_buffer("zeros", torch.zeros_like(norm.running_var), persistent=False)
        assert isinstance(norm, WatchedBatchNorm)
        return norm

    @property
    def stored(self) -> tuple[Tensor, Tensor]:
        """The statistics that it normalises by."""
        assert self.running_mean is not None
        assert self.running_var is not None
        return self.running_mean, self.running_var

    def forward(self, x: Tensor) -> Tensor:
        y, *seen = _FrozenNorm.apply(x, self)
        self.seen = tuple(seen)
        return y


class WatchedTutor(nn.Module):
    """A frozen full-precision network that returns logits and the batch-norm statistics loss together."""

    stored: Tensor
    shares: Tensor

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.norms = [WatchedBatchNorm.of(m) for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        stored = [statistics for norm in self.norms for statistics in norm.stored]
        shares = [torch.full_like(one, 1 / (len(one) * len(self.norms))) for one in stored]
        self.register_buffer("stored", torch.cat(stored), persistent=False)
        self.register_buffer("shares", torch.cat(shares), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes) and the mean over layers of (mean distance + variance distance), a scalar.

        Distances are squared differences averaged over a layer's channels; variances are biased.
        """
        logits = self.model(images)
        seen = torch.cat([statistics for norm in self.norms for statistics in norm.seen])
        return logits, (seen - self.stored).square() @ self.shares

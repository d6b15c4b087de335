"""Batch statistics at a frozen network's batch norms, and the loss that draws them to the stored ones.

Yin et al., "Dreaming to Distill" (DeepInversion), CVPR 2020; Xu et al., ECCV 2020, eq. 5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss


class _FrozenNormWithDistance(torch.autograd.Function):
    """Batch norm by stored statistics, and how far the batch's own are from them.

    Both passes use batch norm's own kernels, which take half-precision maps with float32 channels, where elementwise
    operations would widen the maps.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: WatchedBatchNorm) -> tuple[Tensor, Tensor]:
        mean, variance = batch_statistics(x, norm.ones)
        ctx.save_for_backward(x, mean, variance)
        ctx.norm = norm
        stored = norm.running_mean, norm.running_var
        y, _, _ = torch.native_batch_norm(x, norm.weight, norm.bias, *stored, False, 0.0, norm.eps)
        return y, mse_loss(mean, norm.running_mean) + mse_loss(variance, norm.running_var)

    @staticmethod
    def backward(ctx: Any, g_y: Tensor, g_distance: Tensor) -> tuple[Tensor, None]:
        x, mean, variance = ctx.saved_tensors
        norm = ctx.norm
        g = 2 / x.numel() * g_distance  # of squares, averaged over channels, of averages over places
        shift, slope = (mean - norm.running_mean).mul_(g), (variance - norm.running_var).mul_(2 * g)
        g_x, _, _ = torch.native_batch_norm(x, slope, shift, mean, norm.ones, False, 0.0, 0.0)
        stored = norm.running_mean, norm.running_var, None, None, False, norm.eps
        by_y, _, _ = torch.ops.aten.native_batch_norm_backward(g_y, x, norm.weight, *stored, [True, False, False])
        return g_x.add_(by_y), None


def batch_statistics(x: Tensor, unmoved: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) of (B, C, H, W) over all but C, in the dtype of `unmoved` (C,).

    Batch norm's own kernel finds both in one pass over channels-last memory, ten times as fast as `var_mean`. It moves
    the statistics it is given, but here with a momentum of 0.
    """
    mean, variance = torch.batch_norm_update_stats(x, unmoved, unmoved, 0.0)
    return mean, variance


class WatchedBatchNorm(nn.BatchNorm2d):
    """A frozen batch norm that keeps its distance to the stored statistics at the last forward."""

    ones: Tensor
    distance: Tensor

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> WatchedBatchNorm:
        """`norm` itself turned into this class."""
        norm.__class__ = cls
        norm.register_buffer("ones", torch.ones_like(norm.running_var), persistent=False)
        assert isinstance(norm, WatchedBatchNorm)
        return norm

    def forward(self, x: Tensor) -> Tensor:
        y, self.distance = _FrozenNormWithDistance.apply(x, self)
        return y


class WatchedTutor(nn.Module):
    """A frozen full-precision network that returns logits and the batch-norm statistics loss together."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.norms = [WatchedBatchNorm.of(m) for m in model.modules() if isinstance(m, nn.BatchNorm2d)]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes) and the mean over layers of (mean distance + variance distance), a scalar.

        Distances are squared differences averaged over a layer's channels; variances are biased.
        """
        logits = self.model(images)
        return logits, torch.stack([norm.distance for norm in self.norms]).mean()

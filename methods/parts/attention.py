"""Attention maps: what a feature map (B, c, H, W) says of its channels or places. Computed in at least float32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from methods.parts.precision import widened


def spatial_energy(maps: Tensor) -> Tensor:
    """Mean over channels of the squares, flattened and scaled to unit L2 norm: (B, H*W).

    Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017; AKT's spatial attention.
    """
    return normalize(_mean_square(maps, 1).flatten(1), dim=1)


def channel_energy(maps: Tensor) -> Tensor:
    """Mean over places of the squares, scaled to unit L2 norm over channels: (B, c).

    HAST's feature alignment (Li et al., CVPR 2023, published program).
    """
    return normalize(_energy(maps), dim=1)


def channel_softmax(maps: Tensor) -> Tensor:
    """Softmax over channels of the mean over places of the squares, without a temperature: (B, c).

    AKT's channel attention (published program).
    """
    return _energy(maps).softmax(1)


def channel_mean(maps: Tensor) -> Tensor:
    """Mean over places: (B, c).

    Zhou et al., "Channel Distillation: Channel-Wise Attention for Knowledge Distillation", 2020.
    """
    return widened(maps).mean((2, 3))


def _energy(maps: Tensor) -> Tensor:
    """Mean over places of the squares: (B, c)."""
    return _mean_square(maps, (2, 3)).flatten(1)


def _mean_square(maps: Tensor, dims: int | tuple[int, ...]) -> Tensor:
    """Mean of squares over `dims`, which stay as ones."""
    return _MeanSquare.apply(maps, dims)


class _MeanSquare(torch.autograd.Function):
    """Its gradient is found in one pass, in the dtype of the maps; autograd's own takes several over wider ones."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, dims: int | tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(maps)
        return widened(maps).square().mean(dims, keepdim=True)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        (maps,) = ctx.saved_tensors
        averaged = maps.numel() // g.numel()
        return maps * (g * (2 / averaged)).to(maps.dtype), None

"""The uniform asymmetric grid and its straight-through estimator.

ZeroQ's quantizer as the GDFQ family uses it (Cai et al., CVPR 2020; Xu et al., ECCV 2020): with L = 2^k - 1,
step D = (hi - lo) / L and integer zero z = round(lo / D), a value x becomes D * clamp(round(x / D), z, z + L).
Rounding is half to even. Zero is on the grid whenever lo <= 0 <= hi.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SMALLEST_SPAN = 1e-8


@dataclass(frozen=True)
class Grid:
    """A grid of 2^bits levels.

    Attributes:
        step: float, () or broadcastable to the tensor: the distance between levels.
        zero: as `step`, whole-numbered: the lowest level divided by `step`.
        bits: width of the codes 0 .. 2^bits - 1.
    """

    step: Tensor
    zero: Tensor
    bits: int

    @classmethod
    def of(cls, lo: Tensor, hi: Tensor, bits: int) -> Grid:
        """The grid over the range [lo, hi]."""
        step = (hi - lo).clamp_min(SMALLEST_SPAN) / levels(bits)
        return cls(step, torch.round(lo / step), bits)

    def codes(self, x: Tensor) -> Tensor:
        """Integer codes in [0, 2^bits - 1] of `x`, as int32 of its shape."""
        codes = self._whole(x) - self.zero
        return codes.clamp_(max=levels(self.bits)).to(torch.int32)  # far from zero, zero + L rounds up

    def values(self, codes: Tensor) -> Tensor:
        """The real values of codes."""
        return (codes + self.zero) * self.step

    def nearest(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """`x` moved to its nearest level, without gradient; written over `out` where that is given."""
        return self._whole(x, out).mul_(self.step)

    def _whole(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        whole = torch.div(x, self.step, out=out).round_()
        torch.maximum(whole, self.zero, out=whole)
        return torch.minimum(whole, self.zero + levels(self.bits), out=whole)


class _StraightThrough(torch.autograd.Function):
    """Forward: nearest level. Backward: the output's gradient unchanged, for clipped values too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, grid: Grid) -> Tensor:
        return grid.nearest(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


class _RectifiedStraightThrough(torch.autograd.Function):
    """Forward: nearest level, none of which is negative. Backward: the output's gradient where `x` is positive."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, grid: Grid) -> Tensor:
        ctx.save_for_backward(x)
        return grid.nearest(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, x, 0), None


def fake_quantize(x: Tensor, grid: Grid) -> Tensor:
    """`x` on the grid, in the dtype of `x`; gradients pass straight through to `x` and not to the range."""
    return _StraightThrough.apply(x, grid)


def rectify_and_quantize(x: Tensor, grid: Grid) -> Tensor:
    """`fake_quantize(relu(x), grid)` on a grid without negative levels, whose clipping rectifies: a pass less."""
    return _RectifiedStraightThrough.apply(x, grid)


def levels(bits: int) -> int:
    """Highest code of a width: 2^bits - 1."""
    return 2**bits - 1


def channel_grid(weight: Tensor, bits: int) -> Grid:
    """Grid of each output channel (dimension 0) of a weight, from its current minimum and maximum.

    Steps and zeros have the shape (O, 1, ...) of `weight`.
    """
    weight, within = weight.detach(), tuple(range(1, weight.ndim))
    return Grid.of(weight.amin(within, keepdim=True), weight.amax(within, keepdim=True), bits)

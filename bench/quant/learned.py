"""Quantizers whose step size is learned: one step for a layer's weight and one for its input.

Esser, McKinstry, Bablani, Appuswamy, Modha, "Learned Step Size Quantization" (LSQ), ICLR 2020, eq. 1-5. A value v
becomes s * round(clamp(v / s, low, high)); codes are signed, -2^(k-1) .. 2^(k-1) - 1, or unsigned, 0 .. 2^k - 1, and
zero is always a level. Rounding is half to even.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from bench.quant.grid import Grid
from bench.quant.layers import QuantizedWeight, Quantizer
from bench.spec import Bits

SMALLEST_STEP = 1e-8


class _LearnedStep(torch.autograd.Function):
    """Keeps `x` and its own output, which the layers before and behind it keep too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, low: int, high: int, gain: float) -> Tensor:
        q = torch.div(x, step).round_().clamp_(low, high).mul_(step)
        ctx.save_for_backward(x, step, q)
        ctx.low, ctx.high, ctx.gain = low, high, gain
        return q

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        x, step, q = ctx.saved_tensors
        scratch = x / step
        inside = torch.ops.aten.hardtanh_backward(g, scratch, ctx.low, ctx.high)  # 0 at and beyond the bounds
        slope = torch.mul(g, q, out=scratch).addcmul_(inside, x, value=-1).sum(dtype=step.dtype) / step
        return inside, ctx.gain * slope, None, None, None


def bounds(bits: int, signed: bool) -> tuple[int, int]:
    """Lowest and highest code of a width."""
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def learned_step(x: Tensor, step: Tensor, bits: int, *, signed: bool, scaled: bool) -> Tensor:
    """`x` on the grid of `step`, in the dtype of `x`.

    Gradients (LSQ, eq. 3 and 5): dq/dx is 1 strictly between low * step and high * step, else 0; dq/dstep is
    round(x / step) - x / step there, `low` at and below and `high` at and above.

    Args:
        x: any shape. step: positive scalar ().
        scaled: whether the step's gradient is multiplied by 1 / sqrt(elements of x * high) (LSQ, section 2.2).
    """
    low, high = bounds(bits, signed)
    gain = (x.numel() * high) ** -0.5 if scaled else 1.0
    return _LearnedStep.apply(x, step, low, high, gain)


class LearnedInput(Quantizer):
    """Per-tensor quantizer of a layer's input."""

    def __init__(self, bits: int, like: Tensor, *, signed: bool, scaled: bool) -> None:
        super().__init__()
        self.bits, self.signed, self.scaled = bits, signed, scaled
        self.step = nn.Parameter(like.new_ones(()))

    def grid(self) -> Grid:
        """The grid of the current step."""
        return _grid(self.step, self.bits, self.signed)

    def forward(self, x: Tensor) -> Tensor:
        return x if self.off else learned_step(x, self.step, self.bits, signed=self.signed, scaled=self.scaled)


class LearnedWeight(QuantizedWeight):
    """What layers with learned steps share: `step` of the weight, one for all channels, and the `input` quantizer."""

    step: nn.Parameter
    input: LearnedInput
    scaled: bool

    @classmethod
    def learning(cls, layer: nn.Conv2d | nn.Linear, bits: Bits, *, signed: bool, scaled: bool) -> LearnedWeight:
        """`layer` itself turned into this class, with steps of 1.

        Args:
            signed: whether its input may be negative. scaled: see `learned_step`.
        """
        cls.of(layer, bits.w)
        assert isinstance(layer, LearnedWeight)
        layer.scaled = scaled
        layer.step = nn.Parameter(layer.weight.detach().new_ones(()))
        layer.input = LearnedInput(bits.a, layer.weight.detach(), signed=signed, scaled=scaled)
        return layer

    def grid(self) -> Grid:
        """The grid of the current step."""
        return _grid(self.step, self.bits, signed=True)

    def fix(self, grid: Grid) -> None:
        """From now on use the weight as it is, which lies on `grid`, the grid of `step`, already."""
        self.off = True

    def on_grid(self) -> Tensor:
        """The weight as it is now, on the grid of the current step."""
        return learned_step(self.weight, self.step, self.bits, signed=True, scaled=self.scaled)


class LearnedConv2d(LearnedWeight, nn.Conv2d):
    """Convolution of a quantized input with a quantized weight."""

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(self.input(x), self.quantized_weight(), self.bias)


class LearnedLinear(LearnedWeight, nn.Linear):
    """Linear layer of a quantized input and a quantized weight; the bias stays in full precision."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(self.input(x), self.quantized_weight(), self.bias)


def _grid(step: Tensor, bits: int, signed: bool) -> Grid:
    step = step.detach()
    return Grid(step, torch.full_like(step, bounds(bits, signed)[0]), bits)

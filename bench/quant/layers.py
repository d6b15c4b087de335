"""Quantized layers: convolution and linear with quantized weights, activation functions with quantized output."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from bench.quant.grid import Grid, channel_grid, fake_quantize, rectify_and_quantize
from bench.quant.memo import Memo
from bench.quant.ranges import Range, RangeRule

Weighted = TypeVar("Weighted", bound=nn.Conv2d | nn.Linear)


class Quantizer(nn.Module):
    """A module that puts its weight or its output on a grid of `bits` bits, unless it is `off`."""

    bits: int
    off = False

    def grid(self) -> Grid:
        """The current grid."""
        raise NotImplementedError


class QuantizedWeight(Quantizer):
    """What quantized layers share: a latent `weight` that is put on its grid anew at every forward."""

    weight: Tensor
    step: Tensor
    zero: Tensor
    held: Tensor | None = None

    def grid(self) -> Grid:
        """Grid of each output channel: the one that the layer is fixed to, else that of the current weight."""
        if hasattr(self, "step"):
            return Grid(self.step, self.zero, self.bits)
        return channel_grid(self.weight, self.bits)

    def fix(self, grid: Grid) -> None:
        """From now on use the weight as it is, which lies on `grid` already."""
        self.register_buffer("step", grid.step, persistent=False)
        self.register_buffer("zero", grid.zero, persistent=False)
        self.off = True

    def quantized_weight(self) -> Tensor:
        """The weight as the layer uses it."""
        if self.held is not None:
            return self.held
        return self.weight if self.off else self.on_grid()

    def on_grid(self) -> Tensor:
        """The weight as it is now, on its grid."""
        return fake_quantize(self.weight, self.grid())

    @classmethod
    def of(cls, layer: Weighted, bits: int) -> Weighted:
        """`layer` itself turned into this class: same parameters, same hooks, quantized weight."""
        layer.__class__ = cls
        layer.bits = bits
        return layer


class QuantizedConv2d(QuantizedWeight, nn.Conv2d):
    """Convolution whose weight has `bits` bits per output channel."""

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.quantized_weight(), self.bias)


class QuantizedLinear(QuantizedWeight, nn.Linear):
    """Linear layer whose weight has `bits` bits per row; the bias stays in full precision."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.quantized_weight(), self.bias)


class QuantizedActivation(Quantizer):
    """An activation function followed by a per-tensor quantizer of its output, which it overwrites without gradients.

    While `tracking`, each output widens the range before it is quantized with it.
    """

    tracking = False

    def __init__(self, function: nn.Module, bits: int, rule: RangeRule) -> None:
        super().__init__()
        self.function = function
        self.bits = bits
        self.range = Range(rule)
        self.known: Memo[Grid] = Memo()

    def grid(self) -> Grid:
        """Grid over the current range."""
        return self.known.get(self.range.state, lambda: Grid.of(*self.range.bounds(), self.bits))

    def forward(self, x: Tensor) -> Tensor:
        clips = isinstance(self.function, nn.ReLU) and not (self.tracking or self.off)  # to the grid, which rectifies
        if not clips:
            x = self.function(x)
        if self.tracking:
            self.range.observe(x)
        if self.off:
            return x
        if torch.is_grad_enabled():
            return rectify_and_quantize(x, self.grid()) if clips else fake_quantize(x, self.grid())
        kept = clips and not self.function.inplace
        return self.grid().nearest(x, out=None if kept else x)


def is_quantizer(module: nn.Module) -> bool:
    """Whether a module puts its weight or its output on a grid."""
    return isinstance(module, Quantizer)

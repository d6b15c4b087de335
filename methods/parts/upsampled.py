"""Nearest upsampling and the convolution behind it as one operation with four ninths of the arithmetic."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv_transpose2d


class UpsampledConv2d(nn.Conv2d):
    """Nearest upsampling by two, then a 3x3 convolution with padding 1: (B, inputs, H, W) to (B, outputs, 2H, 2W).

    Of the nine pixels under the kernel at most four differ, so that taps over equal pixels are added up beforehand.
    Equal to the two operations one after the other but for rounding; weight and bias are the convolution's. The bias
    is added apart: on a CPU the convolution's own gradient of it takes as long as those of weight and input together.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        maps = conv_transpose2d(x, merged(weight), stride=2, padding=1)
        return maps if bias is None else maps.add_(bias.to(maps.dtype).view(-1, 1, 1))


def merged(weight: Tensor) -> Tensor:
    """The kernel (I, O, 4, 4) of the transposed convolution of stride 2 and padding 1 for a weight (O, I, 3, 3).

    Three taps become four: an even pixel sees the one before and itself twice, an odd one itself twice and the next.
    Turned around, as a transposed convolution's are, these are the sums of neighbours, zeros beyond the ends.
    """
    turned = weight.transpose(0, 1).contiguous(memory_format=torch.channels_last).flip(2, 3)
    return avg_pool2d(turned, 2, stride=1, padding=1, divisor_override=1)

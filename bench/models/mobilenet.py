"""MobileNetV2 for 32x32 images, with the module names, layers and widths of pytorchcv.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2. For CIFAR the stem and
the second stage keep their resolution, so that the last map is 4x4 instead of 1x1. As in pytorchcv, unlike the paper,
the first unit has a 1x1 convolution too, and the classifier is a 1x1 convolution without bias.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.models.blocks import ConvBlock, initialise

STAGES = ((1, (16,)), (1, (24,) * 2), (2, (32,) * 3), (2, (64,) * 4 + (96,) * 3), (2, (160,) * 3 + (320,)))
"""Per stage: stride of its first unit, and output channels of each unit at width 1."""
STEM, LAST, EXPANSION = 32, 1280, 6


class LinearBottleneck(nn.Module):
    """Expansion (`conv1`), depthwise 3x3 (`conv2`), projection without activation (`conv3`); residual where it fits.

    Input (B, inputs, H, W); output (B, outputs, H / stride, W / stride).
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.residual = inputs == outputs and stride == 1
        wide = inputs * expansion
        self.conv1 = ConvBlock(inputs, wide, 1, activation=nn.ReLU6)
        self.conv2 = ConvBlock(wide, wide, 3, stride, groups=wide, activation=nn.ReLU6)
        self.conv3 = ConvBlock(wide, outputs, 1, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv3(self.conv2(self.conv1(x)))
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Input (B, 3, 32, 32) normalised; output logits (B, classes).

    Args:
        classes: number of classes.
        width: multiplier of all channels, rounded down; the last 1280 are never fewer.
    """

    def __init__(self, classes: int, width: float = 1.0) -> None:
        super().__init__()
        self.features = nn.Sequential()
        inputs = int(STEM * width)
        self.features.add_module("init_block", ConvBlock(3, inputs, 3, activation=nn.ReLU6))
        for number, (first_stride, channels) in enumerate(STAGES, start=1):
            stage = nn.Sequential()
            for unit, count in enumerate(channels, start=1):
                outputs, stride = int(count * width), first_stride if unit == 1 else 1
                bottleneck = LinearBottleneck(inputs, outputs, stride, 1 if number == 1 else EXPANSION)
                stage.add_module(f"unit{unit}", bottleneck)
                inputs = outputs
            self.features.add_module(f"stage{number}", stage)
        last = int(LAST * max(width, 1.0))
        self.features.add_module("final_block", ConvBlock(inputs, last, 1, activation=nn.ReLU6))
        self.features.add_module("final_pool", nn.AdaptiveAvgPool2d(1))
        self.output = nn.Conv2d(last, classes, 1, bias=False)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return torch.flatten(self.output(self.features(x)), 1)

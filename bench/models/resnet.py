"""CIFAR ResNets with projection shortcuts, with the module names of pytorchcv.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2, with option-B shortcuts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.models.blocks import ConvBlock, initialise


class ResUnit(nn.Module):
    """A body of two 3x3 convolutions beside an identity or projected shortcut, summed and rectified.

    Input (B, inputs, H, W); output (B, outputs, H / stride, W / stride).
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential()
        self.body.add_module("conv1", ConvBlock(inputs, outputs, 3, stride))
        self.body.add_module("conv2", ConvBlock(outputs, outputs, 3, activation=None))
        if inputs != outputs or stride != 1:
            self.identity_conv = ConvBlock(inputs, outputs, 1, stride, activation=None)
        self.activ = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.identity_conv(x) if hasattr(self, "identity_conv") else x
        return self.activ(self.body(x) + shortcut)


class ResNet(nn.Module):
    """A ResNet of 6n + 2 layers: input (B, 3, 32, 32) normalised; output logits (B, classes).

    Args:
        depth: 20, 32, 56, 110, ... classes: number of classes.

    Raises:
        ValueError: for a depth that is not 6n + 2.
    """

    def __init__(self, depth: int, classes: int) -> None:
        super().__init__()
        units, rest = divmod(depth - 2, 6)
        if rest or units < 1:
            raise ValueError(f"a CIFAR ResNet has 6n + 2 layers, not {depth}")
        self.features = nn.Sequential()
        self.features.add_module("init_block", ConvBlock(3, 16, 3))
        inputs = 16
        for number, width in enumerate((16, 32, 64), start=1):
            stage = nn.Sequential()
            for unit in range(units):
                stride = 2 if number > 1 and unit == 0 else 1
                stage.add_module(f"unit{unit + 1}", ResUnit(inputs, width, stride))
                inputs = width
            self.features.add_module(f"stage{number}", stage)
        self.features.add_module("final_pool", nn.AvgPool2d(8, stride=1))
        self.output = nn.Linear(inputs, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(torch.flatten(self.features(x), 1))

"""The block that all networks here are made of."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn


class ConvBlock(nn.Sequential):
    """Padded convolution without bias (`conv`), batch norm (`bn`) and, unless None, an activation (`activ`).

    Input (B, inputs, H, W); output (B, outputs, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        activation: Callable[..., nn.Module] | None = nn.ReLU,
    ) -> None:
        super().__init__()
        conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.add_module("conv", conv)
        self.add_module("bn", nn.BatchNorm2d(outputs))
        if activation is not None:
            self.add_module("activ", activation(inplace=True))


def initialise(network: nn.Module) -> None:
    """Draw every convolution's weights as He et al., "Delving Deep into Rectifiers", ICCV 2015, eq. 10 (uniform)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight)

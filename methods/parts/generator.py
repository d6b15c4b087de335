"""The conditional image generator of the GDFQ family.

ACGAN-like: Odena et al., ICML 2017; as used by Xu et al., "Generative Low-bitwidth Data Free Quantization",
ECCV 2020, for 32x32 images. Noise is multiplied by a class embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.parts.upsampled import UpsampledConv2d

LATENT = 100
WIDTH, SIZE = 128, 8


class Generator(nn.Module):
    """Noise (B, 100) and labels (B,) to images (B, 3, 32, 32) of zero mean and unit variance per channel.

    Kept in train mode always: batch norm uses batch statistics. Inner batch norms have an *eps* of 0.8, as published.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, LATENT)
        self.project = nn.Linear(LATENT, WIDTH * SIZE * SIZE)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(WIDTH),
            UpsampledConv2d(WIDTH, WIDTH),
            nn.BatchNorm2d(WIDTH, eps=0.8),
            nn.LeakyReLU(0.2, inplace=True),
            UpsampledConv2d(WIDTH, WIDTH // 2),
            nn.BatchNorm2d(WIDTH // 2, eps=0.8),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(WIDTH // 2, 3, 3, padding=1),
            nn.Tanh(),
            nn.BatchNorm2d(3, affine=False),
        )

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        maps = self.project(self.embedding(labels) * noise).view(-1, WIDTH, SIZE, SIZE)
        return self.layers(maps.contiguous(memory_format=torch.channels_last))

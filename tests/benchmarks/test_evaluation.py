"""Evaluation of 10,000 images beside the bare forward passes of the full-precision network, in turn."""

from __future__ import annotations

import pytest
import torch
from beside import Beside
from torch import Tensor, nn

from bench.models import build
from bench.quant.convert import quantize, tracking
from bench.runner.evaluate import TestImages, score
from bench.spec import Bits

IMAGES = 10_000
ROUNDS = 3


def images() -> TestImages:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (IMAGES, 32, 32, 3), dtype=torch.uint8, generator=random)
    labels = torch.randint(0, 10, (IMAGES,), generator=random)
    return TestImages(pixels, labels, torch.full((3,), 0.5), torch.full((3,), 0.25))


def network() -> nn.Module:
    return build("resnet20", 10).to(memory_format=torch.channels_last).eval()


@torch.no_grad()
def bare(model: nn.Module, batches: list[Tensor]) -> None:
    """The forward passes alone."""
    for batch in batches:
        model(batch)


@pytest.mark.parametrize("bits", [Bits(4, 4), None], ids=["W4A4", "full"])
def test_evaluation_of_ten_thousand_images(beside: Beside, bits: Bits | None) -> None:
    test, plain = images(), network()
    model = quantize(network(), bits, "corrected") if bits else network()
    with torch.no_grad(), tracking(model):
        model(test.normalised(0, test.batch))
    batches = [test.normalised(start, start + test.batch) for start in range(0, IMAGES, test.batch)]
    beside.in_turn(lambda: score(model, test), {"the bare passes": lambda: bare(plain, batches)}, rounds=ROUNDS)

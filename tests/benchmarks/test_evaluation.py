"""Evaluation of 10,000 images beside the bare forward passes of the full-precision network, in turn.

And beside a loop over a DataLoader at batch 200, which prepares its images one by one, as many programs do. On a GPU if
there is one.
"""

from __future__ import annotations

import pytest
import torch
from adapters import DEVICE
from beside import Beside
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import Compose, Normalize, ToTensor

from bench.models import build
from bench.quant.convert import quantize, tracking
from bench.runner.evaluate import TestImages, score
from bench.spec import Bits

IMAGES = 10_000
ROUNDS = 5


def images() -> TestImages:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (IMAGES, 32, 32, 3), dtype=torch.uint8, generator=random)
    labels = torch.randint(0, 10, (IMAGES,), generator=random)
    return TestImages(pixels.to(DEVICE), labels.to(DEVICE), *(torch.full((3,), c, device=DEVICE) for c in (0.5, 0.25)))


def network() -> nn.Module:
    return build("resnet20", 10).to(DEVICE, memory_format=torch.channels_last).eval()


@torch.no_grad()
def bare(model: nn.Module, batches: list[Tensor]) -> None:
    """The forward passes alone."""
    for batch in batches:
        model(batch)


class OneByOne(Dataset[tuple[Tensor, int]]):
    """The images of a test split, each prepared when it is asked for."""

    def __init__(self, test: TestImages) -> None:
        self.images, self.labels = test.images.cpu().numpy(), test.labels.tolist()
        self.prepare = Compose([ToTensor(), Normalize(test.mean.tolist(), test.std.tolist())])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.prepare(self.images[index]), self.labels[index]


@torch.no_grad()
def by_loader(model: nn.Module, loader: DataLoader[tuple[Tensor, Tensor]]) -> float:
    """Top-1 as a plain loop finds it."""
    right = 0
    for pixels, labels in loader:
        right += int((model(pixels.to(DEVICE)).argmax(1) == labels.to(DEVICE)).sum())
    return right / IMAGES


@pytest.mark.parametrize("bits", [Bits(4, 4), None], ids=["W4A4", "full"])
def test_evaluation_of_ten_thousand_images(beside: Beside, bits: Bits | None) -> None:
    test, plain = images(), network()
    model = quantize(network(), bits, "corrected") if bits else network()
    with torch.no_grad(), tracking(model):
        model(test.normalised(0, test.batch))
    batches = [test.normalised(start, start + test.batch) for start in range(0, IMAGES, test.batch)]
    loader = DataLoader(OneByOne(test), batch_size=200)
    assert by_loader(model, loader) == pytest.approx(score(model, test).top1, abs=1e-3)
    others = {"the bare passes": lambda: bare(plain, batches), "a DataLoader's loop": lambda: by_loader(model, loader)}
    beside.in_turn(lambda: score(model, test), others, rounds=ROUNDS)

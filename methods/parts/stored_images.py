"""Batches of stored images, each cropped at random, enlarged back and flipped, as tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from bench.method import Batch, Setup, Source, State
from bench.schedule import Step

AREA, RATIO = (0.5, 1.0), (3 / 4, 4 / 3)
"""Share of an image's area that a crop covers, and its width by its height."""
TRIES = 10
"""Boxes that are drawn for a crop before the whole image is taken."""


class StoredImages(Source):
    """Passes over stored images, in one random order an epoch that is begun anew where the set is exhausted.

    Every batch is augmented afresh. The last images of a pass that fill no batch are left out. (HAST's published
    program: a sampler seeded by the epoch, iterated again within it.)

    Args:
        images: (N, 3, H, W), normalised. labels: int64 (N,).
    """

    def __init__(self, setup: Setup, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels
        self.batch = min(setup.schedule.batch, len(labels))
        self.random = setup.stream("stored")
        self.order = torch.empty(0, dtype=torch.int64)
        self.next = 0

    def draw(self, step: Step, student: nn.Module) -> Batch:
        if step.first:
            self.order = torch.randperm(len(self.labels), generator=self.random)
        if step.first or self.next + self.batch > len(self.order):
            self.next = 0
        chosen = self.order[self.next : self.next + self.batch].to(self.labels.device)
        self.next += self.batch
        height, width = self.images.shape[2:]
        boxes = random_boxes(len(chosen), height, width, self.random)
        flips = torch.rand(len(chosen), generator=self.random) < 0.5
        return Batch(resized_crops(self.images[chosen], boxes, flips), self.labels[chosen])

    def state(self) -> State:
        return {"random": self.random.get_state(), "order": self.order, "next": self.next}

    def load(self, state: State) -> None:
        self.random.set_state(state["random"].cpu())  # a checkpoint is loaded onto the device
        self.order, self.next = state["order"].cpu(), state["next"]


def random_boxes(count: int, height: int, width: int, random: torch.Generator) -> Tensor:
    """Boxes int64 (count, 4) of top, left, height and width within images, as torchvision's RandomResizedCrop draws.

    Area and logarithm of the ratio are uniform; the first of ten that fits is taken, else the whole image.
    """
    area = height * width * torch.empty(count, TRIES).uniform_(*AREA, generator=random)
    ratio = torch.empty(count, TRIES).uniform_(math.log(RATIO[0]), math.log(RATIO[1]), generator=random).exp()
    wide, high = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
    fits = (wide <= width) & (high <= height)
    first = fits.int().argmax(1, keepdim=True)
    wide = torch.where(fits.any(1), wide.gather(1, first).squeeze(1), width)
    high = torch.where(fits.any(1), high.gather(1, first).squeeze(1), height)
    places = torch.rand(2, count, generator=random)
    top = (places[0] * (height - high + 1)).long()
    left = (places[1] * (width - wide + 1)).long()
    return torch.stack([top, left, high, wide], dim=1)


def resized_crops(images: Tensor, boxes: Tensor, flips: Tensor) -> Tensor:
    """Crops of images (B, 3, H, W), enlarged to (H, W) by bilinear interpolation, mirrored where `flips` (B,) says so.

    Equal to torchvision's resized_crop and hflip. `boxes` are int64 (B, 4): top, left, height, width.
    """
    height, width = images.shape[2:]
    top, left, high, wide = boxes.to(images.dtype).T[:, :, None]
    rows, columns = _positions(height, top, high), _positions(width, left, wide)
    columns = torch.where(flips[:, None], columns.flip(1), columns)
    y, x = 2 * rows / (height - 1) - 1, 2 * columns / (width - 1) - 1
    grid = torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=-1).to(images.device)
    crops = grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return crops.contiguous(memory_format=torch.channels_last)


def _positions(size: int, start: Tensor, length: Tensor) -> Tensor:
    """Where along one axis `size` equal cells of [start, start + length) have their centres, in pixels (B, size)."""
    centres = (torch.arange(size) + 0.5) * length / size - 0.5
    return start + torch.minimum(centres.clamp_min(0), length - 1)

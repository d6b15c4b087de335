"""Augmented batches of labelled training images, cropped and flipped as tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from bench.method import Batch, Setup, Source, State
from bench.schedule import Step

PADDING = 4


class LabelledImages(Source):
    """Shuffled passes over the training split: pad 4, random crop, horizontal flip, normalise.

    Every epoch is a fresh permutation; the last partial batch is dropped.
    """

    def __init__(self, setup: Setup) -> None:
        self.images, self.labels = setup.images()
        self.batch = setup.schedule.batch
        self.random = setup.stream("data")
        self.mean = torch.tensor(setup.mean, device=setup.device)
        self.std = torch.tensor(setup.std, device=setup.device)
        self.order = torch.empty(0, dtype=torch.int64)
        self.next = 0

    def draw(self, step: Step, student: nn.Module) -> Batch:
        if step.first or self.next + self.batch > len(self.order):
            self.order = torch.randperm(len(self.labels), generator=self.random)
            self.next = 0
        chosen = self.order[self.next : self.next + self.batch].to(self.labels.device)
        self.next += self.batch
        return Batch(self._normalise(self._augment(self.images[chosen])), self.labels[chosen])

    def _augment(self, images: Tensor) -> Tensor:
        """Crop and flip uint8 (B, H, W, 3) with one gather."""
        count, height, width, _ = images.shape
        top, left = torch.randint(2 * PADDING + 1, (2, count, 1), generator=self.random)
        flip = torch.rand(count, 1, generator=self.random) < 0.5
        rows, columns = torch.arange(height).expand(count, -1), torch.arange(width).expand(count, -1)
        columns = torch.where(flip, width - 1 - columns, columns)
        padded = pad(images, (0, 0, PADDING, PADDING, PADDING, PADDING))
        rows, columns = (rows + top)[:, :, None], (columns + left)[:, None, :]
        every = torch.arange(count)[:, None, None]
        return padded[every.to(images.device), rows.to(images.device), columns.to(images.device)]

    def _normalise(self, images: Tensor) -> Tensor:
        """uint8 (B, H, W, 3) to float (B, 3, H, W) in channels-last memory."""
        return ((images.float() / 255 - self.mean) / self.std).permute(0, 3, 1, 2)

    def state(self) -> State:
        return {"random": self.random.get_state(), "order": self.order, "next": self.next}

    def load(self, state: State) -> None:
        self.random.set_state(state["random"].cpu())  # a checkpoint is loaded onto the device
        self.order, self.next = state["order"].cpu(), state["next"]

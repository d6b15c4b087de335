"""What adapters are checked on: a few procedural images and networks with made-up weights, in a temporary folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from bench.data import describe, npz, shapes
from bench.models import Teacher, TeacherCard, build, publish
from bench.models.teachers import find, path_of
from bench.models.weights import fingerprint

NAME = "few-shapes10"
SIZES = {"train": 200, "test": 64}
WARM = 64
"""Images by which the networks' batch norms are set."""


class StandIn:
    """A data root and a results folder with teachers, removed with this object.

    Attributes:
        root, results: the folders. dataset: facts of the images.
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="lowbit-bench-")
        self.root = Path(self._folder.name).resolve()
        self.results = self.root / "results"
        images, labels = shapes.make("shapes10", "test")
        start, classes = 0, np.array([f"figure {k}" for k in range(10)])
        for split, count in SIZES.items():
            some = slice(start, start + count)
            np.savez(self.file(split), images=images[some], labels=labels[some], class_names=classes)
            start += count
        self.dataset = describe(NAME, self.root)
        self.warm = self._normalised(images[:WARM])

    def file(self, split: str) -> Path:
        """The file that holds a split."""
        return npz.path(NAME, self.root, split)

    def teacher(self, model: str) -> Teacher:
        """The full-precision model of a name; made, the same on every machine with this torch, when first asked for."""
        if not path_of(self.results, NAME, model).is_file():
            facts = self.dataset
            state = _network(model, facts.classes, self.warm).state_dict()
            card = TeacherCard(NAME, model, facts.classes, fingerprint(state), facts.mean, facts.std, "measured")
            publish(self.results, card, state)
        return find(self.results, NAME, model)

    def _normalised(self, images: np.ndarray) -> Tensor:
        """uint8 (B, H, W, 3) as float (B, 3, H, W)."""
        mean, std = torch.tensor(self.dataset.mean), torch.tensor(self.dataset.std)
        return ((torch.from_numpy(images).float() / 255 - mean) / std).permute(0, 3, 1, 2)


@cache
def standin() -> StandIn:
    """The stand-in of this process."""
    return StandIn()


def _network(model: str, classes: int, images: Tensor) -> nn.Module:
    """A network whose batch norms have uneven scales and shifts, and the statistics of what reaches them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build(model, classes).train()
        for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0, 0.2)
            norm.momentum = 1.0
        with torch.no_grad():
            network(images)
    return network

"""Images optimised until a frozen network finds them plausible, and hard: HAST's hard sample synthesis.

Li et al., "Hard Sample Matters a Lot in Zero-Shot Quantization", CVPR 2023, on top of Zhong et al., "IntraQ",
CVPR 2022, and Cai et al., "ZeroQ", CVPR 2020.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import log_softmax
from torch.optim.lr_scheduler import ReduceLROnPlateau

from bench.method import Setup
from methods.parts.bn_statistics import WatchedTutor
from methods.parts.precision import widened

VERSION = "3"
"""Raised whenever equal recipes may give other images."""

ITERATIONS, PARTS, BATCH = 1000, 20, 256
"""Of the published program: steps for each part; parts; images in each."""

SIZE = 32
LEAST_DIFFICULTY = 1e-6
"""1 - p is never below this: at p = 1 its power has no finite gradient where gamma < 1."""


@dataclass(frozen=True)
class Recipe:
    """What images are made by, besides a network and a seed.

    Attributes:
        beta, gamma: weight and focus of the classification loss; see `focal_loss`.
        iterations: steps of Adam for each part.
        parts: number of parts. batch: images in each, which share their batch-norm statistics.
    """

    beta: float
    gamma: float
    iterations: int = ITERATIONS
    parts: int = PARTS
    batch: int = BATCH


def hard_images(setup: Setup, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Images (parts * batch, 3, 32, 32), normalised and not clipped, and labels int64 (parts * batch,), on the device.

    They depend on tutor, recipe and seed (and on arithmetic: precision and platform), so that one set serves all
    bit-widths. What was made before is taken from the setup's artifacts.
    """
    cell = setup.cell
    values = {"version": VERSION, "tutor": cell.tutor, "classes": setup.classes, "seed": cell.seed}
    tutor = cache(lambda: WatchedTutor(setup.model("tutor")))  # not built where all is there
    parts = setup.artifacts.parts(
        "images",
        {**values, "precision": cell.precision, **asdict(recipe)},
        recipe.parts,
        lambda index: synthesise(setup, tutor(), recipe, index),
    )
    images, labels = (torch.cat([part[key] for part in parts]).to(setup.device) for key in ("images", "labels"))
    return images, labels


def synthesise(setup: Setup, tutor: WatchedTutor, recipe: Recipe, part: int) -> dict[str, Tensor]:
    """One part, from noise: `images` (batch, 3, 32, 32) and `labels` (batch,); its random stream is its own.

    Adam at 0.5, divided by ten whenever the loss has not fallen for 50 steps, never below 1e-4.
    """
    random = setup.stream(f"images/{part}")
    images = torch.randn(recipe.batch, 3, SIZE, SIZE, generator=random)
    labels = torch.randint(setup.classes, (recipe.batch,), generator=random).to(setup.device)
    images = images.to(setup.device, memory_format=torch.channels_last).requires_grad_()
    adam = torch.optim.Adam([images], lr=0.5)
    plateau = ReduceLROnPlateau(adam, factor=0.1, patience=50, min_lr=1e-4)
    for _ in range(recipe.iterations):
        with setup.autocast():
            logits, statistics = tutor(images)
        loss = statistics + recipe.beta * focal_loss(widened(logits), labels, recipe.gamma)
        adam.zero_grad()
        loss.backward()
        adam.step()
        plateau.step(loss.item())
    return {"images": images.detach(), "labels": labels}


def focal_loss(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Mean of (1 - p)^gamma times the cross-entropy, p being the softmax of logits (B, C) at the labels (B,).

    The gradient flows through p too. 1 - p is the difficulty of a sample (Li et al., section 3.2): with gamma above 0
    easy ones count less.
    """
    surprise = -log_softmax(logits, 1).gather(1, labels[:, None]).squeeze(1)
    difficulty = (1 - (-surprise).exp()).clamp_min(LEAST_DIFFICULTY)
    return (difficulty**gamma * surprise).mean()

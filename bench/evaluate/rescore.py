"""Scoring a stored model on the test images again, and holding the outcome to its record."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bench.data import Split, describe, load_split
from bench.errors import DataCorrupt
from bench.evaluate.target import Target
from bench.runner.evaluate import Score, TestImages, score
from bench.stats.proportion import wilson


@dataclass(frozen=True)
class Evaluation:
    """How a model does on all test images of its data set.

    Attributes:
        images: how many there are. top1, top5: shares. interval: Wilson's, of top1 at 95 %.
        classes: for each class, right answers and images.
        agreement: share of images on which the full-precision model that it started from answers the same; None
            where it is one itself.
        recorded: top-1 in its record. differ: images that are right here and wrong in the record, or the other way
            round. Both None where there is no record.
    """

    images: int
    top1: float
    top5: float
    interval: tuple[float, float]
    classes: tuple[tuple[int, int], ...]
    agreement: float | None
    recorded: float | None
    differ: int | None


def evaluate(target: Target, data_root: Path, device: str, threads: int) -> Evaluation:
    """Score a model. Nothing is trained, and no training image is opened.

    Raises:
        DataMissing: if the test images are not in the data root. DataCorrupt: if they are others than the record's.
    """
    torch.set_num_threads(threads)
    card = target.teacher.card
    _require_same_images(target, data_root)
    split = load_split(card.dataset, data_root, "test")
    mean, std = (torch.tensor(values, device=device) for values in (card.mean, card.std))
    images, labels = (torch.from_numpy(array).to(device) for array in (split.images, split.labels))
    test = TestImages(images, labels, mean, std)
    found = _scored(target.model, test, device)
    full = None if target.full is None else _scored(target.full, test, device)
    recorded = target.record.result if target.record else None
    return Evaluation(
        images=len(split),
        top1=found.top1,
        top5=found.top5,
        interval=wilson(found.top1, len(split)),
        classes=_per_class(found.correct, split, card.classes),
        agreement=None if full is None else float((found.answers == full.answers).mean()),
        recorded=recorded["top1"]["last"] if recorded else None,
        differ=_differ(found.correct, recorded["correct"]) if recorded else None,
    )


def _require_same_images(target: Target, data_root: Path) -> None:
    """Refuse other images than those that the record is about."""
    if target.record is None:
        return
    name = target.teacher.card.dataset
    if describe(name, data_root).fingerprint != target.record.data["fingerprint"]:
        raise DataCorrupt(f"{name} in {data_root} holds other images than those of {target.title}; give --data-root")


def _scored(model: nn.Module, test: TestImages, device: str) -> Score:
    return score(model.to(memory_format=torch.channels_last).to(device), test)


def _per_class(correct: np.ndarray, split: Split, classes: int) -> tuple[tuple[int, int], ...]:
    right = np.bincount(split.labels[correct], minlength=classes)
    return tuple(zip(right.tolist(), np.bincount(split.labels, minlength=classes).tolist(), strict=True))


def _differ(correct: np.ndarray, recorded: str) -> int:
    """Images on which correctness is not that of a record's packed bits."""
    bits = np.unpackbits(np.frombuffer(base64.b64decode(recorded), dtype=np.uint8), count=len(correct))
    return int((bits.astype(bool) != correct).sum())

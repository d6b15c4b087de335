"""What a data set is: splits of images in canonical order, with a fingerprint that storage cannot change."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from bench.files import digest

SPLITS = ("train", "test")

Channels = tuple[float, float, float]
"""One value each for red, green and blue."""


@dataclass(frozen=True)
class Split:
    """Images and labels of one split in canonical order.

    Attributes:
        images: uint8 (N, H, W, 3), RGB.
        labels: int64 (N,).
        fingerprint: sha256 over the ordered pairs (sha256 of the image's bytes, label).
    """

    images: np.ndarray
    labels: np.ndarray
    fingerprint: str

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """Plain facts of a data set, without its images.

    Attributes:
        name: as in `--dataset`.
        classes: number of classes.
        sizes: images per split.
        fingerprint: sha256 over class count and both splits' fingerprints; equal however the files are stored.
        mean, std: per-channel statistics of the training pixels in [0, 1], used to normalise inputs.
        stand_in: true for procedural data that never enters a CIFAR table.
        splits: fingerprint of each split.
    """

    name: str
    classes: int
    sizes: dict[str, int]
    fingerprint: str
    mean: Channels
    std: Channels
    stand_in: bool = False
    splits: Mapping[str, str] = field(default_factory=dict)


class Reader(ABC):
    """A data set of another package: which files hold it, and how they are read.

    Attributes:
        class_names: of the C classes. source: where its files come from, for people who lack them.
    """

    class_names: Sequence[str]
    source: str = ""

    @abstractmethod
    def files(self, root: Path, split: str) -> list[Path]:
        """Every file that holds the `train` or `test` split: at least one, below the data root `root`, there or not.

        No file may hold both splits: a method that sees no training image must not open one that has some.
        """

    @abstractmethod
    def read(self, files: list[Path], split: str) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 (N, H, W, 3), RGB, and labels, integers (N,) in [0, C), of a split in any order."""


def canonical(images: np.ndarray, labels: np.ndarray) -> Split:
    """Order images by sha256 of their bytes, then by label, and fingerprint the result.

    Args:
        images: uint8 (N, H, W, 3). labels: integers (N,), in [0, 65536).
    """
    images = np.ascontiguousarray(images)
    hashes = [hashlib.sha256(image).digest() for image in images]
    order = sorted(range(len(labels)), key=lambda i: (hashes[i], int(labels[i])))
    total = hashlib.sha256()
    for i in order:
        total.update(hashes[i] + int(labels[i]).to_bytes(2, "little"))
    return Split(images[order], labels[order].astype(np.int64), total.hexdigest())


def combine(classes: int, train: str, test: str) -> str:
    """Fingerprint of a data set from its class count and the fingerprints of its splits."""
    return digest({"classes": classes, "train": train, "test": test})


def statistics(images: np.ndarray) -> tuple[Channels, Channels]:
    """Mean and standard deviation of each channel, of pixels in [0, 1], to 8 decimals; equal on every machine.

    A channel of one single value gets the standard deviation 1, so that inputs can be divided by it.

    Args:
        images: uint8 (N, H, W, 3).
    """
    (red, spread_red), (green, spread_green), (blue, spread_blue) = (_moments(images[..., k]) for k in range(3))
    return (red, green, blue), (spread_red, spread_green, spread_blue)


def _moments(pixels: np.ndarray) -> tuple[float, float]:
    counts = np.bincount(pixels.ravel(), minlength=256).tolist()
    mean = Fraction(sum(value * count for value, count in enumerate(counts)), sum(counts))
    square = Fraction(sum(value * value * count for value, count in enumerate(counts)), sum(counts))
    return round(float(mean / 255), 8), round(math.sqrt((square - mean * mean) / 255**2), 8) or 1.0

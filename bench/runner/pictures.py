"""The images that a source drew last in an epoch, as a picture for people to look at."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.files import write_bytes, write_whole
from bench.method import Batch, Setup

ROWS, COLUMNS = 10, 4
GAP = 2
"""White pixels around each image."""


class Pictures:
    """A picture of each epoch below `.work/images/`, and the last one, which is kept, below `images/`.

    A cell's files are named as its record is. Cells that share a source have the same pictures, each its own copy.
    """

    def __init__(self, results: Path) -> None:
        self.results = results

    def draw(self, names: Iterable[str], epoch: int, batch: Batch, setup: Setup) -> None:
        """Write the picture of an epoch, counted from 0, for each of these records."""
        drawn = png(grid(batch, setup.mean, setup.std))
        for name in names:
            write_whole(self._of_epoch(name, epoch), lambda file: file.write(drawn), durable=False)

    def keep(self, name: str, epochs: int) -> str | None:
        """Keep the picture of the last of so many epochs; its path below the results folder, or None without one."""
        last = self._of_epoch(name, epochs - 1)
        if not last.is_file():
            return None
        write_bytes(self.results / (kept := f"images/{name}.png"), last.read_bytes())
        return kept

    def _of_epoch(self, name: str, epoch: int) -> Path:
        return self.results / ".work" / "images" / name / f"epoch-{epoch + 1:03}.png"


def grid(batch: Batch, mean: tuple[float, float, float], std: tuple[float, float, float]) -> np.ndarray:
    """Up to four images each of the ten lowest classes in a batch, a row a class, as uint8 (H, W, 3).

    Args:
        mean, std: that the images (B, 3, h, w) were normalised with. What they lie beyond black and white is cut off.
    """
    labels = batch.labels.cpu()
    rows = [(labels == label).nonzero().flatten()[:COLUMNS] for label in labels.unique()[:ROWS]]
    chosen = batch.images.detach()[torch.cat(rows).to(batch.images.device)]
    tiles = iter(_pixels(chosen, mean, std))
    height, width = (size + GAP for size in chosen.shape[2:])
    canvas = np.full((len(rows) * height + GAP, max(map(len, rows)) * width + GAP, 3), 255, np.uint8)
    for top, row in enumerate(rows):
        for left in range(len(row)):
            place = canvas[top * height + GAP : (top + 1) * height, left * width + GAP : (left + 1) * width]
            place[:] = next(tiles)
    return canvas


def png(pixels: np.ndarray) -> bytes:
    """Pixels uint8 (H, W, 3) as a PNG file."""
    from PIL import Image

    Image.fromarray(pixels).save(file := BytesIO(), "PNG")
    return file.getvalue()


def _pixels(images: Tensor, mean: tuple[float, float, float], std: tuple[float, float, float]) -> np.ndarray:
    """Normalised images (B, 3, h, w) as uint8 (B, h, w, 3)."""
    plain = images.permute(0, 2, 3, 1).float().cpu() * torch.tensor(std) + torch.tensor(mean)
    return (plain.nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8).numpy()

"""Data sets as `<name>_train.npz` and `<name>_test.npz`: arrays images, labels and class_names.

The form in which a user brings any data set of small RGB images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.errors import BenchError, DataCorrupt

FORM = "np.savez(images=uint8 (N,H,W,3), labels=int (N,), class_names=str (C,))"


def path(name: str, root: Path, split: str) -> Path:
    """Where the npz file of a split lies under `root`."""
    return root / f"{name}_{split}.npz"


def read(file: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images uint8 (N, H, W, 3), labels (N,) and the names of the classes of one npz file.

    Raises:
        DataCorrupt: naming the file and what is wrong with it.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            images, labels, names = arrays["images"], arrays["labels"], arrays["class_names"]
    except BenchError:
        raise
    except Exception as error:  # in bytes that are no npz, zipfile, zlib and numpy trip over most kinds of error
        raise DataCorrupt(f"{file} cannot be read ({error}); write it again with {FORM}") from error
    found = problems(images, labels, names)
    if found:
        raise DataCorrupt(f"{file}: {'; '.join(found)}; write it again with {FORM}")
    return images, labels, [str(name) for name in names]


def problems(images: np.ndarray, labels: np.ndarray, names: np.ndarray) -> list[str]:
    found = []
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        found.append(f"images must be uint8 (N,H,W,3), not {images.dtype} {images.shape}")
    if names.ndim != 1:
        found.append(f"class_names must be (C,), not {names.shape}")
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        found.append(f"labels must be integers (N,), not {labels.dtype} {labels.shape}")
    elif images.ndim == 0 or len(labels) != len(images):
        found.append(f"images {images.shape} do not go with labels {labels.shape}")
    elif images.size == 0:
        found.append("no images")
    elif names.ndim == 1 and (labels.min() < 0 or labels.max() >= min(len(names), 65536)):
        found.append(f"labels span {labels.min()}..{labels.max()} but class_names has {len(names)} entries")
    return found

"""CIFAR-10 and CIFAR-100 in torchvision's layout: download, verification and reading.

Images and labels: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import DataCorrupt, DataMissing


@dataclass(frozen=True)
class Layout:
    """Where torchvision keeps one data set.

    Attributes:
        archive, folder: what it downloads and what that unpacks to, under the data root.
        files: by split, the official MD5 of each file.
        labels: key of the labels in each file.
        torchvision: name of the class that downloads it.
    """

    archive: str
    folder: str
    files: dict[str, dict[str, str]]
    labels: str
    torchvision: str


LAYOUTS = {
    "cifar10": Layout(
        archive="cifar-10-python.tar.gz",
        folder="cifar-10-batches-py",
        files={
            "train": {
                "data_batch_1": "c99cafc152244af753f735de768cd75f",
                "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "634d18415352ddfa80567beed471001a",
                "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            },
            "test": {"test_batch": "40351d587109b95175f43aff81a1287e"},
        },
        labels="labels",
        torchvision="CIFAR10",
    ),
    "cifar100": Layout(
        archive="cifar-100-python.tar.gz",
        folder="cifar-100-python",
        files={
            "train": {"train": "16019d7e3df5f24257cddd939b257f8d"},
            "test": {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        },
        labels="fine_labels",
        torchvision="CIFAR100",
    ),
}


def paths(name: str, root: Path, split: str) -> list[Path] | None:
    """Files of a split under `root`, or None where torchvision's folder does not exist.

    Raises:
        DataCorrupt: if the folder exists and a file of the split is missing from it.
    """
    layout = LAYOUTS[name]
    if not (root / layout.folder).is_dir():
        return None
    found = [root / layout.folder / file for file in layout.files[split]]
    for path in found:
        if not path.is_file():
            raise DataCorrupt(f"{path} is missing; {_remedy(name, path)}")
    return found


def read(name: str, files: list[Path], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 32, 32, 3) and labels (N,) from files of a split, each checked against its official MD5.

    Raises:
        DataCorrupt: naming the first file that cannot be read or whose bytes are not the official ones.
    """
    layout = LAYOUTS[name]
    images, labels = [], []
    for path in files:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataCorrupt(f"{path} cannot be read ({error.strerror}); {_remedy(name, path)}") from error
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != layout.files[split][path.name]:
            problem = "is not the official file (MD5 differs: truncated or altered)"
            raise DataCorrupt(f"{path} {problem}; {_remedy(name, path)}")
        batch = pickle.loads(data, encoding="latin1")  # only ever the official bytes
        images.append(batch["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        labels.append(np.asarray(batch[layout.labels]))
    return np.concatenate(images), np.concatenate(labels)


def download(name: str, root: Path) -> None:
    """Download with torchvision, which checks MD5 sums, into a folder of `root` that appears whole or not at all.

    An archive that already lies in `root` is unpacked instead of being downloaded.

    Raises:
        DataMissing: if the download fails or `root` cannot be written to.
    """
    import torchvision

    layout = LAYOUTS[name]
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as folder:
            if (root / layout.archive).is_file():
                os.symlink((root / layout.archive).resolve(), Path(folder, layout.archive))
            getattr(torchvision.datasets, layout.torchvision)(root=folder, download=True)
            os.replace(Path(folder, layout.folder), root / layout.folder)
    except (OSError, RuntimeError) as error:
        raise DataMissing(f"{name} could not be downloaded into {root}: {error}") from error


def _remedy(name: str, path: Path) -> str:
    return f"delete {path.parent} and run: python -m bench prepare --dataset {name}"

"""Small data sets for tests, in both forms in which data sets are stored, and a look at the files that code opens."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.data import cifar, npz
from bench.data.dataset import Dataset, canonical, combine
from bench.data.known import KNOWN

Arrays = tuple[np.ndarray, np.ndarray]
COUNTS = {"train": 30, "test": 12}
_watched: list[Callable[[str], None]] = []
_installed: list[bool] = []


def arrays(split: str, classes: int = 3, seed: int = 0) -> Arrays:
    """Images uint8 (N, 32, 32, 3) and labels (N,) of a small random split."""
    random = np.random.RandomState(seed + len(split))
    count = COUNTS[split]
    return random.randint(0, 256, (count, 32, 32, 3), dtype=np.uint8), np.arange(count) % classes


def write_npz(root: Path, name: str, split: str, data: Arrays, classes: int = 3) -> Path:
    """Store a split as a user would; returns the file."""
    file = npz.path(name, root, split)
    np.savez(file, images=data[0], labels=data[1], class_names=[f"class {k}" for k in range(classes)])
    return file


def write_pair(root: Path, name: str) -> list[Path]:
    """Store both splits of a small data set; returns the files."""
    return [write_npz(root, name, split, arrays(split)) for split in COUNTS]


@contextmanager
def opened() -> Iterator[list[str]]:
    """Real paths of the files opened within the context."""
    if not _installed:
        sys.addaudithook(_tell)
        _installed.append(True)
    found: list[str] = []
    _watched.append(found.append)
    try:
        yield found
    finally:
        _watched.remove(found.append)


def _tell(event: str, arguments: tuple[object, ...]) -> None:
    if _watched and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        for tell in _watched:
            tell(os.path.realpath(os.fsdecode(arguments[0])))


class SmallCifar:
    """A `cifar10` of 30 + 12 images: torchvision's files in `folder`, with facts and MD5 sums put in their place."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root, self.layout = root, cifar.LAYOUTS["cifar10"]
        self.folder = root / self.layout.folder
        self.folder.mkdir(parents=True)
        self.arrays = {split: arrays(split, classes=10) for split in COUNTS}
        self.sums = {split: self._write(split) for split in COUNTS}
        meta = pickle.dumps({"label_names": [f"class {k}" for k in range(10)]})
        (self.folder / "batches.meta").write_bytes(meta)
        self.meta = hashlib.md5(meta).hexdigest()
        splits = {split: canonical(*data).fingerprint for split, data in self.arrays.items()}
        self.facts = replace(KNOWN["cifar10"], sizes=COUNTS, splits=splits, fingerprint=combine(10, **splits))
        patch.setitem(cifar.LAYOUTS, "cifar10", replace(self.layout, files=self.sums))
        patch.setitem(KNOWN, "cifar10", self.facts)

    def _write(self, split: str) -> dict[str, str]:
        images, labels = self.arrays[split]
        names, sums = list(self.layout.files[split]), {}
        parts = zip(names, np.array_split(images, len(names)), np.array_split(labels, len(names)), strict=True)
        for name, some, marks in parts:
            planes = some.transpose(0, 3, 1, 2).reshape(len(some), -1)
            data = pickle.dumps({"data": planes, "labels": marks.tolist()})
            (self.folder / name).write_bytes(data)
            sums[name] = hashlib.md5(data).hexdigest()
        return sums

    def archived(self, patch: pytest.MonkeyPatch) -> Path:
        """Pack the folder into the archive that torchvision downloads, and let torchvision take it for official."""
        import torchvision

        archive = self.root / self.layout.archive
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(self.folder, self.layout.folder)
        for file in self.folder.iterdir():
            file.unlink()
        self.folder.rmdir()
        official = torchvision.datasets.CIFAR10
        patch.setattr(official, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
        patch.setattr(official, "train_list", [list(item) for item in self.sums["train"].items()])
        patch.setattr(official, "test_list", [list(item) for item in self.sums["test"].items()])
        patch.setattr(official, "meta", {**official.meta, "md5": self.meta})
        return archive


@pytest.fixture
def small_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallCifar:
    return SmallCifar(tmp_path / "cifar", monkeypatch)


def facts_equal(left: Dataset, right: Dataset) -> bool:
    """Whether two descriptions agree in all but the name."""
    return replace(left, name="") == replace(right, name="")

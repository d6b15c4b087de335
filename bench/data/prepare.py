"""Getting a data set ready: the one place that downloads."""

from __future__ import annotations

from pathlib import Path

from bench.data import cifar, store
from bench.data.dataset import Dataset
from bench.errors import DataMissing


def prepare(name: str, root: Path, *, download: bool = True) -> Dataset:
    """Verify every file of a data set, downloading a CIFAR that is absent, and stamp it for quick description.

    Args:
        root: data root; created by a download.
        download: whether an absent CIFAR may be downloaded.

    Raises:
        UnknownName: if nothing of that name is known or found.
        DataMissing: if files are absent and may not or could not be downloaded.
        DataCorrupt: if a file is truncated, altered or labelled wrongly.
    """
    try:
        return store.verify(name, root)
    except DataMissing:
        if not (download and name in cifar.LAYOUTS):
            raise
    cifar.download(name, root)
    return store.verify(name, root)

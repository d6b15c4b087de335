"""Where data sets are looked for, and how what is found is held to what it should be.

A data set is looked for under the data root in this order: torchvision's files (CIFAR alone), then files that another
package reads (see `bench.data.plugin`), then `<name>_train.npz` and `<name>_test.npz`, then the procedural shapes,
which need no files. Nothing is written here but stamps (see `bench.data.stamp`), and those only beside files that
exist; describing or loading shapes leaves no trace.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bench.data import cifar, npz, plugin, shapes, stamp
from bench.data.dataset import SPLITS, Dataset, Split, canonical, combine, statistics
from bench.data.known import KNOWN
from bench.errors import DataCorrupt, DataMissing, UnknownName
from bench.names import unknown

DATASETS = tuple(KNOWN)
"""The known names; a data set of any other name is another package's, or found by its npz files."""


def names() -> list[str]:
    """The known data sets, then those of other packages."""
    return [*DATASETS, *(name for name in plugin.names() if name not in KNOWN)]


def data_root(given: str | None) -> Path:
    """The data root: what was given by `--data-root`, else $BENCH_DATA, else `data`."""
    return Path(given or os.environ.get("BENCH_DATA") or "data").expanduser()


def describe(name: str, root: Path) -> Dataset:
    """Facts of a data set, without reading any image where a stamp holds or the images are procedural.

    Raises:
        UnknownName: if nothing of that name is known or found.
        DataMissing: if a file is missing.
        DataCorrupt: if a file is truncated, altered or labelled wrongly.
    """
    files = _all_files(name, root)
    if not files:
        return KNOWN[name]
    return stamp.read(name, root, files) or verify(name, root)


def verify(name: str, root: Path) -> Dataset:
    """Facts of a data set from reading all of it, whatever a stamp says; leaves a stamp for `describe`.

    Raises:
        UnknownName, DataMissing, DataCorrupt: as `describe`.
    """
    files = _all_files(name, root)
    before = stamp.stats(root, files)
    dataset = _held_to_facts(name, root) if name in KNOWN else _measured(name, root)
    if files:
        stamp.write(root, dataset, before)
    return dataset


def load_split(name: str, root: Path, split: str) -> Split:
    """Images and labels of the `train` or `test` split, verified. No image file of the other split is opened.

    Raises:
        UnknownName, DataMissing, DataCorrupt: as `describe`; the last also for files that changed unseen by their
            stamp, so that no result is filed under the fingerprint of other images.
    """
    files = _files(name, root, split)
    loaded = canonical(*_read(name, files, split))
    expected = _expected(name, root, split)
    if expected and loaded.fingerprint != expected:
        raise DataCorrupt(_foreign(name, files, split, loaded.fingerprint, expected))
    return loaded


def training_files(name: str, root: Path) -> list[Path]:
    """Every file under `root` that holds training images of a data set, by real path; none for procedural ones.

    torchvision's files, the archive they came in and the npz file all count, whichever of them is in use.
    """
    layout = cifar.LAYOUTS.get(name)
    places = [npz.path(name, root, "train")]
    if reader := plugin.reader(name):
        places += reader.files(root, "train")
    if layout:
        places += [root / layout.folder / file for file in layout.files["train"]] + [root / layout.archive]
    return [place.resolve() for place in places if place.is_file()]


def _all_files(name: str, root: Path) -> list[Path]:
    return [file for split in SPLITS for file in _files(name, root, split)]


def _files(name: str, root: Path, split: str) -> list[Path]:
    """The files that hold a split; none where it is procedural."""
    if Path(name).name != name:
        raise UnknownName(unknown("data set", name, names()))  # names never lead out of the data root
    found = cifar.paths(name, root, split) if name in cifar.LAYOUTS else None
    if found:
        return found
    if reader := plugin.reader(name):
        return plugin.files(reader, name, root, split)
    file = npz.path(name, root, split)
    if file.is_file():
        return [file]
    if name in shapes.SIZES:
        return []
    raise _absent(name, root, file)


def _absent(name: str, root: Path, file: Path) -> DataMissing | UnknownName:
    if name in cifar.LAYOUTS:
        return DataMissing(
            f"{name} is not in {root}; to download it, run: python -m bench prepare --dataset {name}\n"
            f"or put there torchvision's {cifar.LAYOUTS[name].folder}/ or {name}_train.npz and {name}_test.npz,"
            " or name the folder that has them by --data-root or BENCH_DATA"
        )
    pair = [npz.path(name, root, split) for split in SPLITS]
    if any(other.is_file() for other in pair):
        return DataMissing(f"{file} is missing; a data set needs both {pair[0].name} and {pair[1].name} in {root}")
    own = [found.name.removesuffix("_train.npz") for found in root.glob("*_train.npz")]
    where = f"a data set of your own is read from {pair[0]} and {pair[1]}"
    return UnknownName(f"{unknown('data set', name, {*names(), *own})}; {where}")


def _read(name: str, files: list[Path], split: str) -> tuple[np.ndarray, np.ndarray]:
    if not files:
        return shapes.make(name, split)
    if reader := plugin.reader(name):
        return plugin.read(reader, name, files, split)
    if files[0].suffix == ".npz":
        return npz.read(files[0])[:2]
    return cifar.read(name, files, split)


def _expected(name: str, root: Path, split: str) -> str | None:
    """The fingerprint that a split must have, where that is known or stamped."""
    facts = KNOWN.get(name) or stamp.read(name, root, [file for each in SPLITS for file in _places(name, root, each)])
    return facts.splits[split] if facts else None


def _places(name: str, root: Path, split: str) -> list[Path]:
    """Where the files of a data set that is not known would lie."""
    reader = plugin.reader(name)
    return reader.files(root, split) if reader else [npz.path(name, root, split)]


def _foreign(name: str, files: list[Path], split: str, found: str, expected: str) -> str:
    differs = f"fingerprint {found[:12]}, not {expected[:12]}"
    if not files:
        return f"numpy {np.__version__} draws other images for {name} ({differs}); install another version of numpy"
    if name in KNOWN:
        return (
            f"{files[0]} is not the {split} split of {name} (altered or labelled wrongly: {differs});"
            " put the official images in its place, or rename it if it is a data set of your own"
        )
    return f"{files[0]} changed unseen ({differs}); if that was meant, run: python -m bench prepare --dataset {name}"


def _held_to_facts(name: str, root: Path) -> Dataset:
    for split in SPLITS:
        load_split(name, root, split)
    return KNOWN[name]


def _measured(name: str, root: Path) -> Dataset:
    """Facts of a data set that a user or another package brought."""
    files = {split: _files(name, root, split) for split in SPLITS}
    (train, labels, names), (test, test_labels, test_names) = (_named(name, files[s], s) for s in SPLITS)
    if names != test_names:
        raise DataCorrupt(
            f"{files['test'][0]}: class_names differ from those of {files['train'][0]}; write both with the same"
        )
    if train.shape[1:] != test.shape[1:]:
        problem = f"images are {test.shape[1:]} but {train.shape[1:]} in {files['train'][0]}"
        raise DataCorrupt(f"{files['test'][0]}: {problem}; write both with the same size")
    splits = {"train": canonical(train, labels).fingerprint, "test": canonical(test, test_labels).fingerprint}
    sizes = {"train": len(labels), "test": len(test_labels)}
    mean, std = statistics(train)
    return Dataset(name, len(names), sizes, combine(len(names), **splits), mean, std, splits=splits)


def _named(name: str, files: list[Path], split: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images, labels and the names of the classes."""
    if reader := plugin.reader(name):
        return *plugin.read(reader, name, files, split), list(reader.class_names)
    return npz.read(files[0])

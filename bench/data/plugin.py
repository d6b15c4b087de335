"""Data sets of other packages: found by name through their entry points, read from files below the data root."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from bench.data import npz
from bench.data.dataset import SPLITS, Reader
from bench.data.known import KNOWN
from bench.errors import BenchError, DataCorrupt, DataMissing
from bench.plugins import load, offers, origin, sole

GROUP = "lowbit_bench.datasets"
"""Entry-point group of other packages' data sets: name = "package.module:Class", a Reader made without arguments."""


class DatasetPluginInvalid(BenchError):
    """A data set of another package that cannot be imported, does not keep the contract, or whose name is taken."""


def names() -> list[str]:
    """The data sets of other packages, without importing any."""
    return sorted(offers(GROUP))


@cache
def reader(name: str) -> Reader | None:
    """The reader that another package offers for a data set, or None.

    Raises:
        DatasetPluginInvalid: if two places offer the name, or what is there is no reader.
    """
    points = offers(GROUP).get(name, [])
    if not points:
        return None
    own = ["this project"] if name in KNOWN else []
    sole("data set", name, [*own, *map(origin, points)], DatasetPluginInvalid)
    kind = load("data set", points[0], DatasetPluginInvalid)
    if not (isinstance(kind, type) and issubclass(kind, Reader) and getattr(kind, "class_names", None)):
        problem = "must be a subclass of bench.data.dataset.Reader with class_names"
        raise DatasetPluginInvalid(f"{origin(points[0])}, for data set '{name}', {problem}")
    if missing := ", ".join(sorted(kind.__abstractmethods__)):
        raise DatasetPluginInvalid(f"{origin(points[0])}, for data set '{name}', lacks the method(s) {missing}")
    return kind()


def files(plugin: Reader, name: str, root: Path, split: str) -> list[Path]:
    """The files that hold a split, all of them there.

    Raises:
        DatasetPluginInvalid: if the reader names none, one outside of `root`, or one for both splits, or if files of
            the same name are offered as npz too.
        DataMissing: naming the file that is missing, and where the reader says it comes from.
    """
    named = {each: plugin.files(root, each) for each in SPLITS}
    outside = [str(file) for each in SPLITS for file in named[each] if not file.is_relative_to(root)]
    shared = sorted(str(file) for file in {*named["train"]} & {*named["test"]})
    own = npz.path(name, root, split)
    problems = [f"{file} is not below the data root" for file in outside]
    problems += [f"{file} holds both splits; keep them in files of their own" for file in shared]
    problems += [f"no file is named for the {each} split" for each in SPLITS if not named[each]]
    if own.is_file() and own not in named[split]:
        problems.append(f"{own} is there too; rename one")
    if problems:
        raise DatasetPluginInvalid(f"data set '{name}' of {type(plugin).__module__}: {'; '.join(problems)}")
    for file in named[split]:
        if not file.is_file():
            told = f"; {plugin.source}" if plugin.source else ""
            raise DataMissing(f"{name} is not in {root}: {file} is missing{told}")
    return named[split]


def read(plugin: Reader, name: str, found: list[Path], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, H, W, 3) and labels (N,) of a split.

    Raises:
        DataCorrupt: if the reader gives arrays of another form.
    """
    images, labels = plugin.read(found, split)
    if problems := npz.problems(images, labels, np.array(plugin.class_names)):
        told = f"images uint8 (N,H,W,3) and labels integers (N,) below {len(plugin.class_names)}"
        raise DataCorrupt(f"{', '.join(map(str, found))}: {'; '.join(problems)}; its reader must give {told}")
    return images, labels

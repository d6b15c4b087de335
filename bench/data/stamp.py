"""Stamps: facts of a data set beside its files, so that an unchanged one is described without reading any image.

A stamp `<root>/.<name>.stamp.json` holds for exactly the files it lists, as long as each keeps its size and time of
change. It saves time and nothing hangs on it: where it cannot be written, the images are read again next time.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.data.dataset import Dataset
from bench.errors import ResultsUnwritable
from bench.files import pretty_json, write_text

FORM = 1
"""Raised whenever the same files may give other facts."""

Stat = dict[str, Any]


def path(name: str, root: Path) -> Path:
    """Where the stamp of a data set lies."""
    return root / f".{name}.stamp.json"


def stats(root: Path, files: Sequence[Path]) -> list[Stat]:
    """What a stamp remembers of each file: path under `root`, size in bytes, time of change in ns."""
    return [
        {"path": file.relative_to(root).as_posix(), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        for file in files
        for stat in [file.stat()]
    ]


def read(name: str, root: Path, files: Sequence[Path]) -> Dataset | None:
    """The facts stamped for these files, or None where no stamp holds for them as they are."""
    try:
        stamp = json.loads(path(name, root).read_bytes())
        if stamp["form"] != FORM or stamp["files"] != stats(root, files):
            return None
        facts = stamp["dataset"]
        return Dataset(**{**facts, "mean": tuple(facts["mean"]), "std": tuple(facts["std"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(root: Path, dataset: Dataset, files: list[Stat]) -> None:
    """Stamp a data set whose files had these stats before they were read, where `root` can be written to."""
    stamp = {"form": FORM, "files": files, "dataset": asdict(dataset)}
    with contextlib.suppress(ResultsUnwritable, OSError):
        write_text(path(dataset.name, root), pretty_json(stamp))

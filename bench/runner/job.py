"""The job of one process: a group of cells and where everything lies, as plain JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.files import canonical_json, digest
from bench.measure.environment import platform
from bench.models.card import TeacherCard, channels
from bench.models.teachers import Teacher
from bench.records import find, path_of
from bench.spec import Cell


@dataclass(frozen=True)
class Job:
    """Cells that share one source, and the settings of the process that runs them.

    Attributes:
        cells, ids: the cells and their ids, in step.
        suite, command: who asked, for the record. sweep: likewise, as a name that no other sweep has.
        results, data_root: folders. device: `cpu` or `cuda`. threads: of torch, kept on resume.
        teachers: by sha256, card and weights file of the full-precision models that the cells name.
    """

    cells: tuple[Cell, ...]
    ids: tuple[str, ...]
    suite: str
    sweep: str
    command: str
    results: Path
    data_root: Path
    device: str
    threads: int
    teachers: Mapping[str, Teacher]

    @property
    def key(self) -> str:
        """Identity of the group, which its files are named after."""
        return digest([*self.ids, self.device, self.threads])[:16]

    def record(self, index: int) -> Path:
        """Where the record of a cell will be."""
        cell = self.cells[index]
        return path_of(self.results, cell.dataset, cell.method, self.ids[index], self.platform)

    def name(self, cell_id: str) -> str:
        """`<dataset>/<method>/<stem>` of a cell's record, after which all that it leaves is named."""
        record = self.record(self.ids.index(cell_id))
        return record.relative_to(self.results / "records").with_suffix("").as_posix()

    def lock(self, index: int) -> Path:
        """The lock file of a cell."""
        return lock_of(self.results, self.record(index))

    def done(self, index: int) -> bool:
        """Whether a cell has a record that a repetition would not change."""
        record = find(self.record(index))
        return record is not None and record.final

    @property
    def title(self) -> str:
        """Method, bit-widths and seed, for people."""
        cell = self.cells[0]
        bits = " ".join(str(cell.bits) for cell in self.cells if not cell.bits.full)
        return " ".join(word for word in (cell.dataset, cell.method, bits, f"seed {cell.seed}") if word)

    @property
    def platform(self) -> str:
        """What its results may depend on besides the cells."""
        return platform(self.device, self.threads)

    @property
    def log(self) -> Path:
        """What its process says; of this sweep alone, as another one may try the same cells at the same time."""
        return self.results / ".work" / "logs" / f"{self.key}-{digest(self.sweep)[:8]}.log"

    @property
    def state(self) -> Path:
        """How far it is, for whoever watches; see `bench.runner.progress`."""
        return self.results / ".work" / "running" / f"{self.key}.json"

    def only(self, index: int) -> Job:
        """The job of one of its cells."""
        return Job(**{**vars(self), "cells": self.cells[index : index + 1], "ids": self.ids[index : index + 1]})

    def text(self) -> str:
        """The job as JSON."""
        plain: dict[str, Any] = {**vars(self), "cells": [cell.plain() for cell in self.cells], "ids": list(self.ids)}
        plain |= {"results": str(self.results), "data_root": str(self.data_root)}
        plain["teachers"] = {k: {"card": asdict(t.card), "weights": str(t.weights)} for k, t in self.teachers.items()}
        return canonical_json(plain)

    @classmethod
    def parse(cls, text: str) -> Job:
        """The job that `text()` wrote."""
        plain = json.loads(text)
        plain |= {"cells": tuple(Cell.of(c) for c in plain["cells"]), "ids": tuple(plain["ids"])}
        plain |= {"results": Path(plain["results"]), "data_root": Path(plain["data_root"])}
        plain["teachers"] = {k: Teacher(_card(t["card"]), Path(t["weights"])) for k, t in plain["teachers"].items()}
        return cls(**plain)


def lock_of(results: Path, record: Path) -> Path:
    """The lock file of the cell with this record."""
    return results / ".work" / "locks" / f"{record.stem}.lock"


def _card(plain: Mapping[str, Any]) -> TeacherCard:
    return TeacherCard(**{**plain, "mean": channels(plain["mean"]), "std": channels(plain["std"])})

"""Where a sweep runs. Importing this does not import torch, so that executors can be started first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.measure.environment import platform


@dataclass(frozen=True)
class Place:
    """Where a sweep runs and keeps its results.

    Attributes:
        results, data_root: folders. device: `cpu` or `cuda`. threads: a cell's. teacher: a user's weights file.
    """

    results: Path
    data_root: Path
    device: str
    threads: int
    teacher: Path | None = None

    @property
    def platform(self) -> str:
        return platform(self.device, self.threads)

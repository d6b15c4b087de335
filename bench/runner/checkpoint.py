"""Checkpoints of a group: one file, written whole, about every minute."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch

from bench.files import write_whole

INTERVAL = float(os.environ.get("BENCH_CHECKPOINT_SECONDS", "60"))
"""Seconds between checkpoints."""


class Checkpoint:
    """The checkpoint file of a group and when it was last written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = time.monotonic()

    def due(self) -> bool:
        """Whether the interval has passed since the last one."""
        return time.monotonic() - self.written >= INTERVAL

    def save(self, state: dict[str, Any]) -> None:
        """Write a state of tensors and plain values."""
        write_whole(self.path, lambda file: torch.save(state, file))
        self.written = time.monotonic()

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The last state, or None where there is none."""
        if not self.path.is_file():
            return None
        return torch.load(self.path, map_location=device, weights_only=True)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

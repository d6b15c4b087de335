"""How far a group is: a small file for whoever watches."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.files import canonical_json, write_whole
from bench.schedule import Step

INTERVAL = 2.0
"""Seconds between two updates of the file."""


@dataclass
class Far:
    """How far a group is.

    Attributes:
        ids: of its cells. title: for people. done, total: steps; none in all while it is built.
        rate: steps a second.
        losses: means of the epoch so far, those that are finite.
        paused: seconds that measurements took from it. held: whether one has the device now.
    """

    ids: Sequence[str]
    title: str
    total: int = 0
    done: int = 0
    rate: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    paused: float = 0.0
    held: bool = False

    @property
    def left(self) -> float:
        """Seconds left at this rate."""
        return (self.total - self.done) / self.rate if self.rate else float("inf")


def read(path: Path) -> Far | None:
    """What a group's file says, or None where it has none."""
    try:
        return Far(**json.loads(path.read_text()))
    except (OSError, TypeError, ValueError):
        return None


class Progress:
    """Counts steps and keeps the file up to date while the block runs; afterwards the file is gone."""

    def __init__(self, path: Path, far: Far) -> None:
        self.path, self.far = path, far
        self.began, self.begun_at = time.monotonic(), far.done
        self.shown = self.began

    def __enter__(self) -> Progress:
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)

    def due(self) -> bool:
        """Whether it is time to tell losses again, which costs a synchronisation."""
        return time.monotonic() - self.shown >= INTERVAL

    def tell(self, step: Step, losses: dict[str, float]) -> None:
        """A step is done."""
        self.shown = time.monotonic()
        self.far.done = step.index + 1
        self.far.losses = {name: value for name, value in losses.items() if math.isfinite(value)}
        self.far.rate = (self.far.done - self.begun_at) / max(1e-9, self.shown - self.began)
        self._write()

    def begin(self, total: int, done: int) -> None:
        """What was built is about to learn."""
        self.far.total, self.far.done = total, done
        self.began, self.begun_at = time.monotonic(), done
        self._write()

    def hold(self) -> None:
        """A measurement has the device."""
        self.far.held = True
        self._write()

    def go_on(self, paused: float) -> None:
        """It took so many seconds, which count for nothing."""
        self.far.held = False
        self.far.paused += paused
        self.began += paused
        self._write()

    def _write(self) -> None:
        text = canonical_json(asdict(self.far)).encode()
        write_whole(self.path, lambda file: file.write(text), durable=False)

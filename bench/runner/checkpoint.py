"""Checkpoints of a group: one file, written whole, about every minute."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from bench.files import write_whole

INTERVAL = float(os.environ.get("BENCH_CHECKPOINT_SECONDS", "60"))
"""Seconds between checkpoints."""

VERSION = 2
"""Of what a checkpoint holds; those of another version are of no use."""

State = dict[str, Any]


def save(path: Path, state: State) -> None:
    """Write a state of tensors and plain values, whole or not at all."""
    write_whole(path, lambda file: torch.save(state, file))


def load(path: Path, device: torch.device) -> State:
    """The state that `save` wrote, on a device."""
    state: State = torch.load(path, map_location=device, weights_only=True)
    return state


class Checkpoint:
    """The checkpoint file of a group and when it was last written.

    Cells that ran in a larger group before, which ended without them, continue from the larger group's checkpoint.

    Args:
        folder: where checkpoints lie. source: name of what the cells share. key: name of the group.
        ids: of its cells. say: takes a line for a person.
    """

    def __init__(self, folder: Path, source: str, key: str, ids: Iterable[str], say: Callable[[str], None]) -> None:
        self.path = folder / f"{source}-{key}.checkpoint"
        self.others = f"{source}-*.checkpoint"
        self.ids = frozenset(ids)
        self.say = say
        self.written = time.monotonic()

    def due(self) -> bool:
        """Whether the interval has passed since the last one."""
        return time.monotonic() - self.written >= INTERVAL

    def save(self, state: State) -> None:
        """Write the group's state, with those of its cells by id under `tracks`, and the index of the `next` step."""
        save(self.path, {"version": VERSION, **state})
        self.written = time.monotonic()

    def load(self, device: torch.device) -> State | None:
        """The state that went furthest of those that hold every cell of the group, or None."""
        found = [state for path in self._files() if (state := self._read(path, device)) is not None]
        fit = [state for state in found if self.ids <= state["tracks"].keys()]
        return max(fit, key=lambda state: state["next"], default=None)

    def remove(self, recorded: Callable[[str], bool]) -> None:
        """Remove it, and those of larger groups whose every cell is `recorded`."""
        self.path.unlink(missing_ok=True)
        for path in self._files():
            state = self._read(path, torch.device("cpu"))
            if state is not None and all(recorded(cell) for cell in state["tracks"]):
                path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self.path.parent.glob(self.others))

    def _read(self, path: Path, device: torch.device) -> State | None:
        """A file's state; one that cannot be read is of no use to anybody and is removed."""
        try:
            state = load(path, device)
            state["next"], state["tracks"].keys()
            if state["version"] != VERSION:
                raise ValueError(f"version {state['version']}")
        except FileNotFoundError:
            return None
        except Exception as error:  # torch.load raises many kinds for a damaged file
            self.say(f"{path} cannot be read ({type(error).__name__}) and was removed; what it held is computed again")
            path.unlink(missing_ok=True)
            return None
        return state

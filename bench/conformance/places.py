"""Where in the adapter's own code something happened."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import torch

TORCH, BENCH = (str(Path(package).parent) + "/" for package in (torch.__file__, Path(__file__).parent))
OPTIMISERS = f"{TORCH}optim/"


def of_error(error: BaseException) -> str:
    """File and line of the adapter's innermost frame on the way to an error."""
    frames = traceback.extract_tb(error.__traceback__)
    chosen = [frame for frame in frames if _adapters(frame.filename)] or frames
    return f"{Path(chosen[-1].filename).name}:{chosen[-1].lineno}" if chosen else "the adapter"


def of_caller() -> str:
    """File and line of the adapter's innermost frame on the stack."""
    frame = next((frame for frame in _stack() if _adapters(frame.f_code.co_filename)), None)
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame else "the adapter"


def in_optimiser() -> bool:
    """Whether torch's own optimiser is what the adapter's innermost frame has called."""
    for frame in _stack():
        if _adapters(frame.f_code.co_filename):
            return False
        if frame.f_code.co_filename.startswith(OPTIMISERS):
            return True
    return False


def _adapters(file: str) -> bool:
    return not file.startswith((TORCH, BENCH, "<")) and file != contextlib.__file__


def _stack() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame:
        yield frame
        frame = frame.f_back

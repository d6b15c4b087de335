"""What an error says of a cell: its status and the reason that its record gives."""

from __future__ import annotations

import traceback

import torch

from bench.errors import BenchError

OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "CUDA out of memory")
"""What PyTorch's allocators say where they raise a plain RuntimeError."""


def status_of(error: BaseException) -> str:
    """`oom` or `failed`."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return "oom"
    told = isinstance(error, RuntimeError) and any(text in str(error) for text in OUT_OF_MEMORY)
    return "oom" if told else "failed"


def reason_of(error: BaseException) -> str:
    """One line where the error is meant for people, else the end of its traceback."""
    if isinstance(error, BenchError):
        return str(error)
    return "".join(traceback.format_exception(error)[-3:]).strip()

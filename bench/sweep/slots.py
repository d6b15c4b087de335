"""Slots: the shares of this machine that one job each runs on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from bench.measure.environment import free_gpu_bytes

JOB_BYTES = 4 << 30
"""Memory of a GPU that a small training is given; ResNet-20 at batch 200 needs about half of it."""


@dataclass(frozen=True)
class Slot:
    """Cores, none in particular where slots leave some free, and which GPU; several slots may share one."""

    cores: tuple[int, ...]
    gpu: int | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a process on this slot sees of the machine; set before CUDA is initialised."""
        return {} if self.gpu is None else {"CUDA_VISIBLE_DEVICES": str(self.gpu)}


def slots(device: str, threads: int, wanted: int | None = None) -> list[Slot]:
    """The slots of this machine.

    Args:
        device: `cpu` or `cuda`. threads: of a job. wanted: how many, instead of as many as fit.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    shares = [tuple(cores[i : i + threads]) for i in range(0, len(cores) - threads + 1, threads)] or [tuple(cores)]
    gpus = _gpus(free_gpu_bytes(), wanted) if device == "cuda" else [None] * (wanted or len(shares))
    own = len(gpus) == len(shares)  # with fewer, another sweep may use the cores that are free
    return [Slot(shares[i] if own else (), gpu) for i, gpu in enumerate(gpus)]


def _gpus(free: Sequence[int], wanted: int | None) -> list[int]:
    """The GPU of each slot, in turns: as many on each as its free memory permits."""
    fits = [max(1, size // JOB_BYTES) for size in free]
    turns = [gpu for turn in range(max(fits, default=1)) for gpu, most in enumerate(fits) if turn < most]
    if wanted is None:
        return turns[: max(len(fits), os.cpu_count() or 1)]
    return [turns[i % len(turns)] for i in range(wanted)]

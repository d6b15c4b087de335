"""Latency of models: warm-up, then samples of all of them in turn, so that what drifts meets each alike."""

from __future__ import annotations

import contextlib
import gc
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Pass = Callable[[], object]
"""One forward pass, of a model and images that it knows."""

WARMUP = 10
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def inputs(batch: int, device: str) -> Tensor:
    """Random images (batch, 3, 32, 32), float32 in channels-last memory as in evaluation."""
    images = torch.randn(batch, 3, 32, 32, generator=torch.Generator().manual_seed(batch))
    return images.to(device, memory_format=torch.channels_last)


def warm_up(passes: Iterable[Pass], device: str, count: int = WARMUP) -> None:
    """Let allocators, caches and clocks settle."""
    once = list(passes)
    for _ in range(count):
        for run in once:
            _seconds(run, device)


def sample(passes: Mapping[str, Pass], device: str, count: int) -> dict[str, list[float]]:
    """Seconds of `count` passes of each kind, one of each in turn, the order turned around every time."""
    found: dict[str, list[float]] = {name: [] for name in passes}
    order = list(passes)
    for _ in range(count):
        for name in order:
            found[name].append(_seconds(passes[name], device))
        order.reverse()
    return found


def summary(batch: int, samples: Sequence[float]) -> dict[str, Any]:
    """Percentiles and throughput of samples (seconds a pass of `batch` images), for a record.

    A percentile is the least sample that so large a share of all samples does not exceed; None where fewer than one
    sample lies beyond it, as a p99 of 50 samples would be but their maximum.
    """
    ranked = sorted(round(seconds, 9) for seconds in samples)
    return {
        "samples": [round(seconds, 9) for seconds in samples],
        **{name: _percentile(ranked, share) for name, share in PERCENTILES.items()},
        "images_per_second": round(batch * len(ranked) / math.fsum(ranked), 3),
    }


@contextlib.contextmanager
def settings(threads: int) -> Iterator[None]:
    """Within it: that many CPU threads, no garbage collection, cuDNN's fastest convolution, and fp32 that is fp32."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    gc.collect()
    gc.disable()
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=False):
            yield
    finally:
        gc.enable()
        torch.set_num_threads(before)


def _seconds(run: Pass, device: str) -> float:
    """One pass: by CUDA events on a GPU, by the clock elsewhere."""
    if device != "cuda":
        began = time.perf_counter()
        run()
        return time.perf_counter() - began
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    start.record()
    run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000


def _percentile(ranked: Sequence[float], share: float) -> float | None:
    rank = math.ceil(round(share * len(ranked), 6))
    return ranked[rank - 1] if rank < len(ranked) or share <= 0.5 else None

"""Peak memory of a model's passes, in a fresh process, so that the peak is the model's own.

`python -m bench.measure.footprint JSON` is that process: it makes one stored model, notes what it then takes, begins
a phase, runs PASSES passes and prints the peaks as JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import records
from bench.errors import BenchError
from bench.measure import memory
from bench.records import Record

if TYPE_CHECKING:
    from bench.measure.subject import Machine

PASSES = 3
"""The first makes kernels and buffers, which the others use again."""


class FootprintFailed(BenchError):
    """A process that was to measure memory and ended otherwise."""


def peaks(results: Path, record: Record, form: str, machine: Machine, batch: int) -> dict[str, Any]:
    """Peaks of passes of `batch` images, and `baseline`: the resident set before them, with the model loaded.

    Args:
        form: `quantized` for the record's model, `full` for the one that it started from.

    Raises:
        FootprintFailed: with the last line of what the process said.
    """
    file = records.path_of(results, record.cell.dataset, record.cell.method, record.id, record.platform)
    order = {"results": str(results), "record": str(file), "form": form, "batch": batch}
    order |= {"device": machine.device, "threads": machine.threads}
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(order)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise FootprintFailed(f"memory of {record.cell.label} at batch size {batch} was not measured: {said[-1]}")
    return dict(json.loads(done.stdout))


def main(text: str) -> None:
    """Measure what an order in JSON names, and print it."""
    order = json.loads(text)
    print(json.dumps(_measured(**order)))


def _measured(results: str, record: str, form: str, batch: int, device: str, threads: int) -> dict[str, Any]:
    import torch

    from bench.measure.latency import inputs
    from bench.measure.stored import stored

    torch.set_num_threads(threads)
    both = stored(Path(results), records.read(Path(record)))
    model = (both.model if form == "quantized" else both.full).to(device)
    images = inputs(batch, device)
    del both
    _give_back()
    baseline = memory.resident()
    memory.reset(device)
    with torch.inference_mode():
        for _ in range(PASSES):
            model(images)
    return {"baseline": baseline, **memory.peaks(device)}


def _give_back() -> None:
    """Return to the system what is free, where its C library can, so that the baseline holds nothing to reuse."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


if __name__ == "__main__":
    main(sys.argv[1])

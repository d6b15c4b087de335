"""What the executors for other machines share: the environment of a job there."""

from __future__ import annotations

import os
from pathlib import Path

import bench
from bench.runner.job import Job


def environment(job: Job) -> dict[str, str]:
    """Variables that a job's process must have: the threads of its libraries, our settings and where our code is."""
    found = {name: value for name, value in os.environ.items() if name.startswith("BENCH_")}
    return found | {"OMP_NUM_THREADS": str(job.threads), "OPENBLAS_NUM_THREADS": "1"} | _path()


def _path() -> dict[str, str]:
    """`PYTHONPATH` that finds a checkout; what pip has installed is found without it."""
    root = Path(bench.__file__).resolve().parents[1]
    before = os.environ.get("PYTHONPATH")
    if root.name in ("site-packages", "dist-packages"):
        return {"PYTHONPATH": before} if before else {}
    return {"PYTHONPATH": os.pathsep.join([str(root), *([before] if before else [])])}

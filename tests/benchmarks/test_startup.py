"""From the command to the end of the first training step, as a person waits for it, beside importing torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from beside import Beside
from workplace import Workplace, give_teacher, make


def first_step(place: Workplace) -> None:
    """Start a GDFQ cell of the suite and return once its first step is in a checkpoint."""
    process = place.start("run", str(place.suite), "--no-sync", BENCH_CHECKPOINT_SECONDS="0")
    while process.poll() is None and not list((place.results / ".work").rglob("*.checkpoint")):
        time.sleep(0.01)
    alive = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert alive


def import_torch() -> None:
    subprocess.run([sys.executable, "-c", "import torch"], check=True)


def test_command_to_first_step(beside: Beside, tmp_path: Path) -> None:
    place = make(tmp_path)
    give_teacher(place)

    def fresh() -> None:
        for file in (place.results / ".work").rglob("*.checkpoint"):
            file.unlink()

    others = {"a Python that imports torch": import_torch}
    beside.in_turn(lambda: first_step(place), others, setup=fresh, rounds=5, warmup=1)

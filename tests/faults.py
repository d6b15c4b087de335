"""A workplace whose cells take milliseconds and go wrong as they are told to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from workplace import CLASSES, ROOT, Workplace, make

from bench.data import describe
from bench.models import TeacherCard, publish
from bench.models.weights import fingerprint

SUITE = """
name = "faults"
[axes]
dataset = ["tiny"]
model = ["faultynet"]
method = [{{ name = "faulty", options = {{ shared = {shared} }} }}]
bits = [{bits}]
schedule = ["{schedule}"]
seed = [{seeds}]
"""
ENTRY_POINTS = "[lowbit_bench.methods]\nfaulty = faulty:Faulty\n[lowbit_bench.models]\nfaultynet = faulty:Network\n"
ALL_BITS = ("W3A3", "W4A4", "W5A5", "W6A6", "W7A7", "W8A8")


@dataclass
class Faults:
    """Cells of the method `faulty` in a folder, run by the command line in a process of its own."""

    place: Workplace
    folder: Path

    def set(self, **kinds: str) -> None:
        """What cells do wrong, by `<bits>_s<seed>`."""
        for name, kind in kinds.items():
            (self.folder / name.replace("_", "-")).write_text(kind)

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join(map(str, (ROOT, ROOT / "tests", self.place.data)))
        return {"PYTHONPATH": path, "FAULTS": str(self.folder), "OMP_NUM_THREADS": "1"}

    def run(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The sweep, to its end."""
        told = ("--no-sync",) if "MLFLOW_TRACKING_URI" not in environment else ()
        return self.place.bench("run", str(self.place.suite), *told, *options, **(self.environment | environment))

    def start(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        """The sweep, under way."""
        told = ("run", str(self.place.suite), "--no-sync", *options)
        return self.place.start(*told, **(self.environment | environment))

    def statuses(self) -> dict[str, str]:
        """Status by `<bits>-s<seed>`."""
        return {f"{r.cell.bits}-s{r.cell.seed}": r.status for r in self.place.records()}

    def resumed(self) -> dict[str, int]:
        """How often it went on from a checkpoint, by `<bits>-s<seed>`."""
        return {f"{r.cell.bits}-s{r.cell.seed}": r.run["resumed"] for r in self.place.records()}

    def digests(self) -> dict[str, str]:
        """Digest of the result by `<bits>-s<seed>`."""
        return {f"{r.cell.bits}-s{r.cell.seed}": r.result["digest"] for r in self.place.records() if r.result}


def prepare(folder: Path, bits: tuple[str, ...], seeds: int, shared: bool = True, schedule: str = "quick") -> Faults:
    """A suite of `faulty` with a full-precision model, and both offered as an installed package."""
    place = make(folder)
    quoted = ", ".join(f'"{width}"' for width in bits)
    told = SUITE.format(
        shared=str(shared).lower(), bits=quoted, schedule=schedule, seeds=", ".join(map(str, range(seeds)))
    )
    place.suite.write_text(told)
    info = folder / "faulty-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    _publish_model(place)
    (folder / "faults").mkdir()
    return Faults(place, folder / "faults")


def _publish_model(place: Workplace) -> None:
    from faulty import Network

    torch.manual_seed(0)
    state, facts = Network(CLASSES).state_dict(), describe("tiny", place.data)
    card = TeacherCard("tiny", "faultynet", CLASSES, fingerprint(state), facts.mean, facts.std, "measured", top1=0.25)
    publish(place.results, card, state)


def twin(faults: Faults, folder: Path) -> Faults:
    """The same cells in another folder, with nothing going wrong but `nan`."""
    shutil.copytree(faults.place.data, folder)
    other = Faults(Workplace(folder, folder / "results", folder / "tiny.toml"), folder / "faults")
    for file in other.folder.iterdir():
        if file.read_text() != "nan":
            file.unlink()
    return other


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9 of the sweep itself, and wait until it is gone."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(seen: Path, pattern: str, seconds: float = 120) -> None:
    """Until a file that matches appears under a folder."""
    deadline = time.monotonic() + seconds
    while not list(seen.glob(pattern)):
        assert time.monotonic() < deadline, f"no {pattern} appeared in {seen}"
        time.sleep(0.01)

"""A method and a network that take milliseconds, and do wrong where a file says so.

`$FAULTS/<bits>-s<seed>` lists what the cell of that width and seed does at step 13, one thing each time it gets there;
`nan` happens every time. The process to which anything else happens leaves its number in `<bits>-s<seed>.pid`. Tests
offer both to other processes as an installed package, see `faults.prepare`.
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from bench.method import Batch, Card, Method, Setup, Source, State
from bench.schedule import Phase, Schedule, Step
from methods.parts.student import WARMUP, QuantizedStudent

AT = 13


def segfault() -> None:
    ctypes.string_at(0)


def leave() -> None:
    sys.exit(0)


def complain() -> None:
    raise RuntimeError("the adapter complains")


def hang() -> None:
    time.sleep(3600)


def want_memory() -> None:
    torch.empty(1 << 55)


def fill_disk() -> None:
    """From now on no file of this process may grow: its next write fails."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def have_children() -> None:
    """Start a process that outlives this one unless it is killed too, then hang."""
    subprocess.Popen(["sleep", "3600"])
    hang()


FAULTS = {
    "children": have_children,
    "segfault": segfault,
    "exit": leave,
    "exception": complain,
    "hang": hang,
    "memory": want_memory,
    "disk": fill_disk,
}


def fault_of(setup: Setup) -> Path | None:
    """The file that says what a cell is to do wrong."""
    folder = os.environ.get("FAULTS")
    return Path(folder) / f"{setup.cell.bits}-s{setup.cell.seed}" if folder else None


class Network(nn.Module):
    """Two convolutions and a linear layer."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=4, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, stride=2)
        self.output = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.first(x)))
        return self.output(torch.relu(self.second(x)).mean((2, 3)))


class Noise(Source):
    """Random images."""

    def __init__(self, setup: Setup) -> None:
        self.random, self.batch = setup.stream("noise"), setup.schedule.batch

    def draw(self, step: Step, student: nn.Module) -> Batch:
        images = torch.randn(self.batch, 3, 32, 32, generator=self.random)
        return Batch(images, torch.zeros(self.batch, dtype=torch.long))

    def state(self) -> State:
        return {"random": self.random.get_state()}

    def load(self, state: State) -> None:
        self.random.set_state(state["random"].cpu())


class Imitator(QuantizedStudent):
    """Follows its full-precision model on noise, until something goes wrong."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.full, self.fault, self.step = setup.model("init").eval(), fault_of(setup), 0

    def learn(self, step: Step, batch: Batch) -> Mapping[str, Tensor]:
        self.step = step.index
        if step.index == AT and (kinds := self._kinds()) and kinds[0] != "nan":
            assert self.fault is not None
            self.fault.write_text(" ".join(kinds[1:]))
            self.fault.with_suffix(".pid").write_text(str(os.getpid()))
            FAULTS[kinds[0]]()
        return super().learn(step, batch)

    def losses(self, batch: Batch) -> Mapping[str, Tensor]:
        with torch.no_grad():
            wanted = self.full(batch.images)
        broken = self.step == AT and self._kinds() == ["nan"]
        return {"distance": mse_loss(self.model(batch.images), wanted) * (float("nan") if broken else 1.0)}

    def _kinds(self) -> list[str]:
        """What is still to go wrong."""
        return self.fault.read_text().split() if self.fault and self.fault.is_file() else []


@dataclass(frozen=True)
class Options:
    """Whether cells share a source, and the learning rate."""

    shared: bool = True
    student_rate: float = 1e-3
    ranges: Literal["auto", "published", "corrected"] = "corrected"


class Faulty(Method):
    card = Card(
        "faulty",
        "1",
        "Faulty",
        "nobody",
        Schedule((Phase(WARMUP, 1, updates=False), Phase("train", 49)), batch=4, steps=20),
        options=Options,
    )

    def settled(self, options: Options) -> Card:
        return replace(self.card, feedback=not options.shared)

    def source(self, setup: Setup) -> Noise:
        return Noise(setup)

    def learner(self, setup: Setup) -> Imitator:
        return Imitator(setup)

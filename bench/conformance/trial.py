"""An adapter with its options on the stand-in: the cells, setups and runs that checks look at."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.artifacts import Artifacts
from bench.conformance.options import watched
from bench.conformance.run import Run, stirred
from bench.conformance.standin import NAME, standin
from bench.errors import CellDeclined
from bench.measure.environment import platform
from bench.method import Card, Method, Setup, settled, version_of
from bench.runner import build
from bench.runner.job import Job
from bench.spec import FULL, Bits, Cell, identity
from bench.suite import Point
from bench.sweep.cells import cell_of

BATCH, STEPS = 8, 2
"""Images per step and steps per epoch; there is one epoch a phase, and one more."""

WIDTHS = tuple(Bits(w, a) for w, a in ((4, 4), (3, 5), (8, 8), (5, 5), (3, 3), (6, 6), (2, 2), (7, 7)))
"""Bit-widths in the order in which they are tried."""


@dataclass(frozen=True)
class Trial:
    """An adapter under trial.

    Attributes:
        method, given: the adapter and plain options, the others at their defaults.
        model: network of the student. device: `cpu` or `cuda`. seed: of the cells, and of the random step of `stops`.
        read: options that the reference run has read so far.
    """

    method: Method
    given: Mapping[str, Any] = field(default_factory=dict)
    model: str = "resnet20"
    device: str = "cpu"
    seed: int = 0
    read: set[str] = field(default_factory=set)

    @property
    def card(self) -> Card:
        """The card as the options make it."""
        return settled(self.method, self.given)

    @cached_property
    def widths(self) -> tuple[Bits, ...]:
        """The first two bit-widths that the adapter does not decline.

        Raises:
            CellDeclined: if it declines all.
        """
        if not self.card.quantizes:
            return (FULL,)
        accepted = tuple(bits for bits in WIDTHS if not self.method.declines(self.cell(bits)))[:2]
        if not accepted:
            reason = self.method.declines(self.cell(WIDTHS[0]))
            raise CellDeclined(f"it declines all bit-widths on {self.model}: {reason}; choose another network (model)")
        return accepted

    @property
    def on_cpu(self) -> Trial:
        """This trial where arithmetic repeats bit for bit."""
        return self if self.device == "cpu" else self._cpu

    @cached_property
    def _cpu(self) -> Trial:
        return replace(self, device="cpu", read=set())

    def cell(self, bits: Bits, precision: str = "fp32") -> Cell:
        """The cell of a bit-width, as a sweep plans it."""
        epochs = f"{len(self.card.schedule.phases) + 1}-epochs"
        point = Point(NAME, self.model, self.method.card.name, bits, epochs, precision, self.seed, self.given)
        init = standin().teacher(self.model) if self.card.quantizes else None
        return cell_of(point, self.method, init, standin().teacher(self.card.tutor) if self.card.tutor else init)

    def setup(self, bits: Bits | None = None) -> Setup:
        """What the runner gives the adapter, but for a smaller batch and fewer steps an epoch."""
        job = self._job(self.cell(bits or self.widths[0]))
        kept = Artifacts(standin().results / "artifacts", platform(self.device, job.threads))
        made = build.setup(job, job.cells[0], self.method, standin().dataset, kept)
        return replace(made, schedule=replace(made.schedule, batch=BATCH, steps=STEPS))

    def start(self, bits: Bits | None = None) -> Run:
        """A fresh run."""
        return Run(self.method, self.setup(bits))

    @cached_property
    def reference(self) -> Run:
        """One undisturbed run to the end, whose states at `stops` are kept."""
        setup = self.setup()
        setup.options = watched(setup.options, self.read)
        self.method.settled(setup.options)
        self.method.version(setup.options)
        with stirred(0):
            run = Run(self.method, setup)
            for step in setup.schedule.walk():
                run.take(step)
                if step.index + 1 in self.stops:
                    run.save(self.checkpoint(step.index + 1))
            return run.ended()

    @cached_property
    def stops(self) -> tuple[int, ...]:
        """Numbers of steps after which the reference run is saved: a random one, and all but the last."""
        total = self.setup().schedule.total
        return tuple(sorted({random.Random(self.seed).randrange(1, total), total - 1}))

    def checkpoint(self, steps: int) -> Path:
        """Where the states after so many steps of the reference run are kept."""
        return standin().root / f"{self.method.card.name}-{id(self)}-{steps}.checkpoint"

    def images(self) -> Tensor:
        """All test images of the stand-in, normalised (B, 3, H, W)."""
        job = self._job(self.cell(self.widths[0]))
        return build.test_images(job, standin().dataset).normalised(0, standin().dataset.sizes["test"])

    def _job(self, cell: Cell) -> Job:
        place, facts = standin(), standin().dataset
        return Job(
            cells=(cell,),
            ids=(identity(cell, version_of(self.method, cell.options), facts.fingerprint),),
            suite="conformance",
            sweep="",
            command="python -m bench check",
            results=place.results,
            data_root=place.root,
            device=self.device,
            threads=torch.get_num_threads(),
            teachers={t.card.sha256: t for t in map(place.teacher, filter(None, (self.model, self.card.tutor)))},
        )

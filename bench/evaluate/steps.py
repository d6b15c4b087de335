"""Training-step time: a few warm steps of a stored cell's method, at its own batch size, with the device to itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.artifacts import Artifacts, Making, Part
from bench.data import describe
from bench.errors import ModelMissing
from bench.measure import latency
from bench.measure.kernels import TRAINING
from bench.measure.measurement import Measurement
from bench.measure.session import alone
from bench.measure.stored import Stored, teacher_of
from bench.measure.subject import Machine, of, timed
from bench.method import Learner, Setup, Source
from bench.models.teachers import Teacher
from bench.records import Record
from bench.registry import get
from bench.runner import build
from bench.runner.job import Job
from bench.schedule import Schedule, Step

WARMUP, SAMPLES = 1, 5


def step(stored: Stored, machine: Machine, results: Path, data_root: Path) -> list[Measurement]:
    """Time of a step: drawing a batch and learning from it, in the longest phase that updates the student.

    Raises:
        DataMissing, ModelMissing: if it needs images, a tutor or artifacts that are not here.
        Busy: if the device is not free in time.
    """
    setup, source, learner = _halves(results, stored.record, machine, data_root)
    lead, steps = _places(setup.schedule)
    with alone(machine) as occasion:
        for place in lead:
            learner.learn(place, source.draw(place, learner.student()))
        run = _run(source, learner, steps)
        latency.warm_up([run], machine.device, WARMUP)
        samples = latency.sample({TRAINING: run}, machine.device, SAMPLES)[TRAINING]
    batch, values = setup.schedule.batch, latency.summary(setup.schedule.batch, samples)
    settings = {"warm_up": WARMUP, "samples": SAMPLES, "phase": steps[0].phase, "precision": setup.cell.precision}
    return [timed(of(stored, "quantized"), machine, occasion, "step", TRAINING, batch, values, settings)]


class _Kept(Artifacts):
    """Artifacts that are there already; none is made, which may take hours."""

    def parts(self, name: str, values: Mapping[str, Any], count: int, make: Making) -> list[Part]:
        def refuse(index: int) -> Part:
            raise ModelMissing(f"{name} of this cell are not kept in {self.folder}; run the cell here first")

        return super().parts(name, values, count, refuse)


def _halves(results: Path, record: Record, machine: Machine, data_root: Path) -> tuple[Setup, Source, Learner]:
    """Source and learner of a record's cell, as at its first step."""
    cell, method = record.cell, get(record.cell.method)
    job = Job(
        cells=(cell,),
        ids=(record.id,),
        suite=record.suite,
        sweep="",
        command="",
        results=results,
        data_root=data_root,
        device=machine.device,
        threads=machine.threads,
        teachers=_teachers(results, record),
    )
    artifacts = _Kept(results / ".work" / "artifacts", record.platform)
    setup = build.setup(job, cell, method, describe(cell.dataset, data_root), artifacts)
    return setup, method.source(setup), method.learner(setup)


def _teachers(results: Path, record: Record) -> dict[str, Teacher]:
    """By sha256, the models that a cell starts and learns from."""
    wanted = {sha256 for sha256 in (record.cell.init, record.cell.tutor) if sha256}
    return {sha256: teacher_of(results, sha256, record.cell.label) for sha256 in wanted}


def _places(schedule: Schedule) -> tuple[list[Step], list[Step]]:
    """The first step of each phase up to the longest one that updates the student, and the steps after it there."""
    counted = schedule.total // schedule.epochs
    starts = list(itertools.accumulate((phase.epochs * counted for phase in schedule.phases), initial=0))
    trained = [i for i, phase in enumerate(schedule.phases) if phase.updates] or [len(schedule.phases) - 1]
    chosen = max(trained, key=lambda i: schedule.phases[i].epochs)
    lead = [schedule.step(start) for start in starts[: chosen + 1]]
    following = range(starts[chosen] + 1, max(starts[chosen + 1] - 1, starts[chosen] + 2))
    return lead, [schedule.step(index) for index in following[: WARMUP + SAMPLES]]


def _run(source: Source, learner: Learner, steps: Sequence[Step]) -> Callable[[], None]:
    """One step after the other, from the first again after the last."""
    places = itertools.cycle(steps)

    def run() -> None:
        place = next(places)
        learner.learn(place, source.draw(place, learner.student()))

    return run

"""Running a group: one source, a learner a cell, from the first step or a checkpoint to the records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bench.artifacts import Artifacts
from bench.data import describe, training_files
from bench.data.guard import Guard
from bench.errors import Busy, ResultsUnwritable
from bench.locks import hold
from bench.measure import devices
from bench.measure.quiet import Training
from bench.method import Batch, settled
from bench.records import find, path_of
from bench.registry import get
from bench.runner import build
from bench.runner.checkpoint import Checkpoint
from bench.runner.code import code_of
from bench.runner.cost import Cost
from bench.runner.evaluate import score
from bench.runner.failure import reason_of, status_of
from bench.runner.job import Job
from bench.runner.log import say
from bench.runner.outcome import Outcome, leave
from bench.runner.pictures import Pictures
from bench.runner.progress import Far, Progress
from bench.runner.reference import reference
from bench.runner.track import Track
from bench.schedule import Step
from bench.signals import heeding
from bench.spec import group_key

CHECK_EVERY = 50
"""Steps between looks at whether losses are still finite."""


class Interrupted(Exception):
    """The process was asked to stop, and its checkpoint is written."""


def run(job: Job) -> list[Path]:
    """Run a group's cells and leave one record a cell, each written whole or not at all.

    Raises:
        Busy: if another process runs one of the cells, or has run it.
        Interrupted: after Ctrl-C or SIGTERM, once the checkpoint is written.
        ResultsUnwritable: if records or checkpoints cannot be written.
        Exception: whatever went wrong in a group of several cells; a single cell's fault becomes its record.
    """
    torch.set_num_threads(job.threads)
    began = datetime.now(UTC)
    with _alone(job):
        try:
            return Group(job).run()
        except (Interrupted, ResultsUnwritable):
            raise
        except (Exception, SystemExit) as error:
            if len(job.cells) > 1:
                raise  # the sweep runs the cells one by one, so that one cell's fault costs no other
            dataset = describe(job.cells[0].dataset, job.data_root)
            outcome = Outcome(job.cells[0], job.ids[0], status_of(error), reason_of(error), began=began)
            return [leave(job, dataset, outcome)]


@contextmanager
def _alone(job: Job) -> Iterator[None]:
    """Hold the locks of all cells of the job, none of which is done yet."""
    with ExitStack() as held:
        for index in sorted(range(len(job.ids)), key=lambda i: job.ids[i]):
            held.enter_context(hold(job.lock(index)))
            if job.done(index):
                raise Busy(f"{job.record(index)} is there already")
        yield


class Group:
    """The cells of a job under way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.method = get(job.cells[0].method)
        code_of(type(self.method).__module__)  # as it is now, whatever is edited while the group runs
        self.dataset = describe(job.cells[0].dataset, job.data_root)
        self.began = datetime.now(UTC)
        self.cost = Cost(job.device)
        self.resumed = 0
        self.title = job.title
        card = settled(self.method, job.cells[0].options)
        self.data_free = card.data == "none"
        work, first = job.results / ".work", job.ids[0] if card.feedback else group_key(job.cells[0])
        source = f"{first[:16]}-{job.platform.replace('/', '-')}"
        self.checkpoint = Checkpoint(work / "checkpoints", source, job.key, job.ids, self._say)
        self.artifacts = Artifacts(work / "artifacts", job.platform, self._say)
        self.pictures = Pictures(job.results)
        self.progress = Progress(job.state, Far(job.ids, job.title))
        self.looping = self.stopping = False

    def run(self) -> list[Path]:
        """From build to records."""
        training = Training(devices.name(self.job.device), self._held)
        with self._guarded(), heeding(self._ask), self.progress, training:
            self.cost.energy.start()
            with self.cost.clock.on("other"):
                self._build()
            self._loop(training)
            self.cost.energy.stop()
            paths = [self._leave(track) for track in self.tracks]
        self.checkpoint.remove(self._recorded)
        return paths

    def _recorded(self, cell_id: str) -> bool:
        """Whether a cell of the same source has its record."""
        cell = self.job.cells[0]
        record = find(path_of(self.job.results, cell.dataset, cell.method, cell_id, self.job.platform))
        return record is not None and record.final

    def _build(self) -> None:
        job = self.job
        setups = [build.setup(job, cell, self.method, self.dataset, self.artifacts) for cell in job.cells]
        self.schedule = setups[0].schedule
        self.test = build.test_images(job, self.dataset)
        self.init = reference(job, job.cells[0], self.dataset, self.test)
        self.source = self.method.source(setups[0])
        learners = [self.method.learner(setup) for setup in setups]
        self.tracks = [Track(i, s, learner) for i, s, learner in zip(job.ids, setups, learners, strict=True)]
        self.start = self._resume()

    def _say(self, line: str) -> None:
        """Tell a person something."""
        say(f"{self.title}: {line}")

    def _held(self, line: str) -> None:
        """A measurement wants the device, which this group is about to leave to it."""
        self._say(line)
        self.cost.energy.stop()
        self.progress.hold()

    def _pause(self, training: Training) -> None:
        """Between two steps, leave the device to whoever measures on it."""
        if paused := training.boundary(lambda: self.stopping):
            self.cost.energy.start()
            self.progress.go_on(paused)

    def _loop(self, training: Training) -> None:
        self.looping = True
        self.progress.begin(self.schedule.total, self.start)
        if 0 < self.start < self.schedule.total:
            self._say(f"continues at step {self.start + 1} of {self.schedule.total}")
        for track in self.tracks:
            track.begin_epoch(self.cost.clock.seconds["draw"])
        self.cost.peaks.enter("train")
        for step in self.schedule.walk(self.start):
            alive = [track for track in self.tracks if track.diverged_at is None]
            if not alive:
                break
            self._step(step, alive)
            if self.progress.due():
                self.progress.tell(step, alive[0].losses())
            if step.last:
                self._end_epoch(step, alive)
            self._pause(training)
            if self.stopping or self.checkpoint.due():
                self._save(step)
        self.cost.peaks.enter("other")

    def _step(self, step: Step, alive: list[Track]) -> None:
        with self.cost.clock.on("draw"):
            batch = self.source.draw(step, alive[0].learner.student())
        drawn = self.source.losses()
        for track in alive:
            with track.clock.on("learn"):
                track.learn(step, batch, drawn)
        if step.last or step.index % CHECK_EVERY == 0:
            for track in alive:
                with track.clock.on("learn"):  # a GPU may still have work of these steps to do
                    track.check()
        if step.last and self.data_free:
            self._draw_picture(step, batch)

    def _draw_picture(self, step: Step, batch: Batch) -> None:
        """Keep a picture of a generated batch for every cell; never one of training images."""
        with self.cost.clock.on("other"):
            self.pictures.draw(map(self.job.name, self.job.ids), step.epoch, batch, self.tracks[0].setup)

    def _end_epoch(self, step: Step, alive: list[Track]) -> None:
        self.cost.peaks.enter("evaluate")
        for track in alive:
            if track.diverged_at is not None:
                continue
            track.end_epoch(step, self.test, self.cost.clock.seconds["draw"])
            found = track.epochs[-1]
            bits = track.setup.cell.bits
            name = "" if bits.full else f"{bits} "
            self._say(f"epoch {step.epoch + 1}/{self.schedule.epochs} {name}top-1 {found['top1']:.2%} ({step.phase})")
        self.cost.peaks.enter("train")

    def _save(self, step: Step) -> None:
        """Write the checkpoint, and stop here if that was asked for."""
        with self.cost.clock.on("other"):
            tracks = {track.id: track.state() for track in self.tracks}
            state: dict[str, Any] = {"next": step.index + 1, "resumed": self.resumed, "began": self.began.isoformat()}
            self.checkpoint.save(state | {"source": self.source.state(), "tracks": tracks, "cost": self.cost.state()})
        if self.stopping:
            raise Interrupted(f"stopped after step {step.index + 1}; the same command continues from there")

    def _resume(self) -> int:
        """Load the checkpoint if there is one; index of the step to go on with."""
        state = self.checkpoint.load(torch.device(self.job.device))
        if state is None:
            return 0
        self.source.load(state["source"])
        for track in self.tracks:
            track.load(state["tracks"][track.id])
        part = len(self.tracks) / len(state["tracks"])  # less than 1 where a larger group ended without these cells
        self.cost.load(state["cost"], part)
        self.began = datetime.fromisoformat(state["began"])
        self.resumed = state["resumed"] + 1
        if state["next"] == self.schedule.total:
            for track in self.tracks:
                track.latest = score(track.learner.student(), self.test)
        return int(state["next"])

    def _leave(self, track: Track) -> Path:
        """Write a track's record and, where it finished, its weights."""
        outcome = Outcome(track.setup.cell, track.id, "ok", None, began=self.began)
        images = self.pictures.keep(self.job.name(track.id), len(track.epochs)) if self.data_free else None
        outcome.run = self.cost.of(track) | {"resumed": self.resumed, "images_file": images}
        if track.diverged_at is not None:
            outcome.status, outcome.reason = "diverged", f"a loss was not finite at step {track.diverged_at + 1}"
            outcome.result = track.progress_so_far(self.init) | self._made_from()
        else:
            outcome.result = track.result(self.init, self.test) | self._made_from()
            outcome.student = track.learner.student()
            if violations := outcome.result.get("census", {}).get("violations"):
                outcome.status, outcome.reason = "failed", f"census: {'; '.join(violations[:3])}"
        return leave(self.job, self.dataset, outcome)

    def _made_from(self) -> dict[str, Any]:
        """sha256 of the artifacts that the cells used, where they used any."""
        return {"artifacts": self.artifacts.used} if self.artifacts.used else {}

    def _guarded(self) -> AbstractContextManager[object]:
        """The watch over training files, for methods that must not see them."""
        if not self.data_free:
            return nullcontext()
        return Guard(self.method.card.name, training_files(self.dataset.name, self.job.data_root))

    def _ask(self) -> None:
        """Ctrl-C or SIGTERM: a checkpoint at the next step boundary, and an end.

        A second one stops at once, and so does one before the first step, when there is nothing to save yet.
        """
        if self.stopping or not self.looping:
            raise KeyboardInterrupt
        self.stopping = True

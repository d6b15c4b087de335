"""Running a plan: which job goes next, and what is done about one that ended badly.

A group whose process dies is run again cell by cell; a cell whose process dies, hangs or needs too much memory leaves a
record that says so. Nothing that one job does ends another.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from bench.locks import SILENCE, Owner, owner
from bench.records import Record, find
from bench.runner import exits
from bench.runner.job import Job, lock_of
from bench.runner.progress import read
from bench.signals import heeding
from bench.sweep.display import Display
from bench.sweep.executors import LOST, Executor, Running
from bench.sweep.failures import Death, kernel_kills, leave_failure
from bench.sweep.jobs import job as job_of
from bench.sweep.limits import Limits
from bench.sweep.plan import Plan, Planned

TICK = 0.05
"""Seconds between looks at the jobs."""

BUSY_WAIT = 2.0
"""Seconds before cells that another sweep runs are looked at again."""

LOSSES = 3
"""How often a job may be lost with its machine without having come further."""


@dataclass
class Task:
    """Cells that are to run together.

    Attributes:
        alone: whether nothing else may run meanwhile, as memory did not suffice beside others.
        lost: how often its machine went away since it had come to step `reached`.
        after: time before which it is not tried again.
        running, job: once it was started. limit: seconds it may run. killed: whether it ran for longer.
    """

    cells: list[Planned]
    alone: bool = False
    lost: int = 0
    reached: int = 0
    after: float = 0.0
    job: Job | None = None
    running: Running | None = None
    limit: float | None = None
    killed: bool = False


@dataclass
class Supervisor:
    """A sweep under way.

    Attributes:
        kills: of the kernel's before it began. sweep: its start. waiting, running: tasks.
        asked: how often a person asked to stop. exit: code to end with, once it is known.
    """

    plan: Plan
    executor: Executor
    limits: Limits
    command: str
    display: Display
    kills: int = field(default_factory=kernel_kills)
    sweep: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}")
    waiting: deque[Task] = field(default_factory=deque)
    running: list[Task] = field(default_factory=list)
    asked: int = 0
    exit: int | None = None

    def run(self) -> int:
        """Run every group that is left; 0, or the exit code of whatever ended the sweep early."""
        self._clear()
        self.waiting.extend(Task(group) for group in self.plan.groups())
        with heeding(self._ask):
            while self.running or (self.waiting and self.exit is None):
                self._heed()
                if self.exit is None:
                    self._start()
                self._look()
                self.display.show([task.job for task in self.running if task.job])
                time.sleep(TICK)
        self.display.close()
        return self.exit or exits.OK

    def _clear(self) -> None:
        """Remove what killed jobs have left: their progress, and parts of files that they were writing."""
        work = self.plan.place.results / ".work"
        for part in work.rglob(".*.part"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > SILENCE:
                    part.unlink()
        for file in (work / "running").glob("*.json"):
            far = read(file)
            locks = [lock for cell in (far.ids if far else ()) for lock in (work / "locks").glob(f"{cell[:16]}@*.lock")]
            if not any(owner(lock) for lock in locks):
                file.unlink(missing_ok=True)

    def _heed(self) -> None:
        """Do what a person asked for since the last look."""
        if self.asked:
            self._stop(exits.INTERRUPTED)
        if self.asked > 1:
            for task in self.running:
                assert task.running is not None
                task.running.stop(at_once=True)

    def _start(self) -> None:
        """Start what can be started now, in the plan's order."""
        for _ in range(len(self.waiting)):
            if not self.executor.free() or any(task.alone for task in self.running):
                return
            task = self.waiting.popleft()
            task.cells = [planned for planned in task.cells if not (found := find(planned.path)) or not found.final]
            if not task.cells:
                continue
            if time.monotonic() < task.after or (task.alone and self.running):
                self.waiting.append(task)
            elif held := next(filter(None, map(self._owner, task.cells)), None):
                if not task.after:
                    told = f"process {held.pid} on {held.host} runs {task.cells[0].cell.label}"
                    self.display.say(f"{told}: waiting for it, and going on with the others")
                self.waiting.append(replace(task, after=time.monotonic() + BUSY_WAIT))
            else:
                self._hand_over(task)

    def _owner(self, planned: Planned) -> Owner | None:
        """Who runs a cell at present."""
        return owner(lock_of(self.plan.place.results, planned.path))

    def _hand_over(self, task: Task) -> None:
        task.job = job_of(self.plan, task.cells, self.sweep, self.command)
        task.limit, task.killed = self.limits.of(task.job), False
        self._forget(task.job)
        task.running = self.executor.start(task.job)
        self.running.append(task)

    def _forget(self, job: Job) -> None:
        """Remove what this sweep's earlier attempt at a job said, and those of sweeps that ended long ago."""
        for log in job.log.parent.glob(f"{job.key}-*.log"):
            with contextlib.suppress(FileNotFoundError):
                if log == job.log or time.time() - log.stat().st_mtime > SILENCE:
                    log.unlink()

    def _look(self) -> None:
        """See which tasks have ended, and end those that take too long."""
        for task in list(self.running):
            assert task.running is not None
            if self._late(task) and not task.killed:
                task.killed = True
                task.running.stop(at_once=True)
            if (code := task.running.ended()) is not None:
                self.running.remove(task)
                self._settle(task, code)

    def _late(self, task: Task) -> bool:
        """Whether a task has run for longer than it may, the time of measurements left out."""
        assert task.running is not None and task.job is not None
        if task.limit is None or task.running.seconds() <= task.limit:
            return False
        far = read(task.job.state)
        return far is None or (not far.held and task.running.seconds() - far.paused > task.limit)

    def _settle(self, task: Task, code: int | str) -> None:
        """Draw the conclusions from how a task ended."""
        assert task.job is not None
        self.display.ended(task.job)
        if code in (exits.INTERRUPTED, exits.UNUSABLE):
            if code == exits.UNUSABLE and self.exit is None:
                results = self.plan.place.results
                self.display.say(f"the results folder cannot be written: {results}; free space and run this again")
            self._stop(int(code))
            return
        if self.asked > 1:
            return
        left = [planned for planned in task.cells if not self._recorded(planned)]
        death = Death(code, task.limit if task.killed else None, kernel_kills() > self.kills)
        if code == LOST and (far := read(task.job.state)) and far.done > task.reached:
            task = replace(task, lost=0, reached=far.done)
        if code == exits.BUSY or (code == LOST and task.lost < LOSSES):
            self.waiting.append(replace(task, lost=task.lost + (code == LOST), after=time.monotonic() + BUSY_WAIT))
        elif left and len(task.cells) > 1:
            self.display.say(f"{task.job.title}: {death.reason}; its cells are run one by one")
            self.waiting.extendleft(Task([planned]) for planned in reversed(left))
        elif left:
            leave_failure(task.job, death)
        self._after(task)

    def _after(self, task: Task) -> None:
        """Learn from the records that a task left, and try again alone what ran out of memory beside others."""
        found = {planned.id: self._recorded(planned) for planned in task.cells}
        self.limits.learn(record for record in found.values() if record)
        for planned in task.cells:
            record = found[planned.id]
            if record is None:
                continue
            if record.status == "oom" and not task.alone:
                self.display.say(f"{planned.cell.label} ran out of memory: it is tried once more, alone")
                self.waiting.append(Task([planned], alone=True))
            else:
                self.display.done(record)

    def _recorded(self, planned: Planned) -> Record | None:
        """The record that this sweep, or another one meanwhile, has left of a cell."""
        record = find(planned.path)
        return record if record and (record.final or record.run.get("sweep") == self.sweep) else None

    def _stop(self, code: int) -> None:
        """End the sweep with a code once all jobs have written their checkpoints."""
        if self.exit is None:
            self.exit = code
            for task in self.running:
                assert task.running is not None
                task.running.stop(at_once=False)

    def _ask(self) -> None:
        """Ctrl-C or SIGTERM: every job is to write a checkpoint and end; the second time it is killed."""
        self.asked += 1


def run(plan: Plan, command: str, held: Executor, limits: Limits | None = None) -> int:
    """Run every group of a plan that is left; 0, or the exit code of whatever ended the sweep early.

    Args:
        command: the command line, for records. held: runs the jobs.
    """
    limits = limits or Limits()
    limits.learn(record for planned in plan.cells if (record := find(planned.path)))
    return Supervisor(plan, held, limits, command, Display(len(plan.left))).run()

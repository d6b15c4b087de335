"""Jobs on a Slurm cluster, submitted through submitit; results and data lie where every node sees them.

Each is a Slurm job of one task, whose process calls `bench.runner.main.run`. How it ended is the file that submitit
writes at its end, and Slurm is asked only about jobs without one.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
import traceback
import uuid
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.extras import package
from bench.runner import exits
from bench.runner.job import Job
from bench.sweep.executors import LOST, Executor, Running
from bench.sweep.executors.elsewhere import environment
from bench.sweep.executors.squeue import Squeue
from bench.sweep.place import Place

SETTINGS = "BENCH_SLURM"
"""Environment variable with options of sbatch, as in `partition=gpu,time=60`."""

KNOWN = (
    *("account", "comment", "constraint", "exclude", "gpus-per-node", "gres", "licenses", "mem", "mem-per-cpu"),
    *("nice", "nodelist", "partition", "qos", "reservation", "time", "wckey"),
)
MOST = 1000
"""Jobs handed over at once where nobody says how many."""

PAUSE = 0.5
"""Seconds between two submissions."""

LOOK = 1.0
"""Seconds between two looks at whether a job's result is there."""

LATE = 15.0
"""Seconds after a job's end in which its result may still appear on a shared file system."""

OUR_FAULT = ("COMPLETED", "FAILED", "OUT_OF_MEMORY")
"""States at the end of a job whose process ended by itself. With all others Slurm ended it, or its node did."""

ON = ("COMPLETING", "CONFIGURING", "PENDING", "RESIZING", "RUNNING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED")
"""States of a job that has not ended."""


class Results:
    """The files in submitit's folder, listed at most every `LOOK` seconds for all jobs together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: set[str] = set()
        self.looked = float("-inf")

    def has(self, name: str) -> bool:
        if time.monotonic() - self.looked >= LOOK:
            self.looked = time.monotonic()
            with contextlib.suppress(OSError):
                self.folder.chmod(self.folder.stat().st_mode)  # so that a network file system looks again
            with contextlib.suppress(OSError):
                self.names = set(os.listdir(self.folder))
        return name in self.names


class Submitted(Running):
    """A job that Slurm was given."""

    def __init__(self, given: Any, log: Path, stop_file: Path, results: Results, queue: Squeue) -> None:
        self.given, self.log, self.stop_file, self.results, self.queue = given, log, stop_file, results, queue
        self.name = str(given.job_id)
        self.code: int | str | None = None
        self.asked = self.killed = False
        self.looked = float("-inf")
        self.since = time.monotonic()
        self.gone: float | None = None

    def ended(self) -> int | str | None:
        if self.code is None and time.monotonic() - self.looked >= LOOK:
            self.looked = time.monotonic()
            self.code = self._code()
            if self.code is not None:
                self.stop_file.unlink(missing_ok=True)
        return self.code

    def seconds(self) -> float:
        entry = self.queue.entry(self.name)
        return entry.seconds if entry else 0.0

    def stop(self, *, at_once: bool) -> None:
        if self.code is not None:
            return
        if at_once and not self.killed:
            self.killed = True
            self.queue.kill(self.name)
        elif not at_once and not self.asked:
            self.asked = True
            self.stop_file.touch()  # first, for a process that starts after the signal
            self.queue.interrupt(self.name)

    def _code(self) -> int | str | None:
        """How it ended, or None."""
        code: int | str | None = self._result()
        if code is None:
            code = self._fate()
        if code is None or code == exits.OK:
            return code
        if self.killed:
            return -signal.SIGKILL
        if self.asked:
            return exits.INTERRUPTED if code == LOST else code
        return LOST if code == exits.INTERRUPTED else code  # Slurm or somebody else asked it to stop

    def _result(self) -> int | None:
        """What the process returned, or None where it has left no result."""
        if not self.results.has(self.given.paths.result_pickle.name):
            return None
        try:
            return int(self.given.result())
        except Exception as error:  # submitit's, with the traceback of ours
            with contextlib.suppress(OSError), self.log.open("a") as log:
                print(error, file=log)
            return 1

    def _fate(self) -> int | str | None:
        """What Slurm says of a process that has left no result; None while it may still leave one."""
        entry = self.queue.entry(self.name)
        if entry is None and self.queue.answered <= self.since:
            return None
        if entry is not None and entry.state in ON:
            self.gone = None
            return None
        if entry is not None and entry.state not in OUR_FAULT:
            return LOST
        self.gone = self.gone or time.monotonic()
        if time.monotonic() - self.gone < LATE:
            return None
        if entry is None:
            return LOST
        return -signal.SIGKILL if entry.state == "OUT_OF_MEMORY" else entry.code or 1


class Slurm(Executor):
    """Submits jobs.

    Args:
        submitter: of submitit, with its files in `folder`, which are kept if a job ends badly. most: jobs at once.
    """

    def __init__(self, submitter: Any, folder: Path, queue: Squeue, most: int) -> None:
        self.submitter, self.folder, self.queue, self.most = submitter, folder, queue, most
        self.results = Results(folder)
        self.running: list[Submitted] = []
        self.last = float("-inf")
        self.failed = False

    def free(self) -> bool:
        self.failed |= any(job.ended() for job in self.running)
        self.running = [job for job in self.running if job.ended() is None]
        return len(self.running) < self.most and time.monotonic() - self.last >= PAUSE

    def start(self, job: Job) -> Submitted:
        exports = [f"export {name}={shlex.quote(value)}" for name, value in environment(job).items()]
        self.submitter.update_parameters(setup=exports, **needs(job))
        stop_file = self.folder / f"{job.key}-{uuid.uuid4().hex[:8]}.stop"
        try:
            given = self.submitter.submit(work, job.text(), job.log, stop_file)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            raise BenchError(f"Slurm does not take a job: {error}; is {SETTINGS} right?") from error
        running = Submitted(given, job.log, stop_file, self.results, self.queue)
        self.running.append(running)
        self.last = time.monotonic()
        return running

    def close(self) -> None:
        left = [job.name for job in self.running if job.ended() is None]
        for name in left:
            self.queue.kill(name)
        self.queue.flush()
        if not left and not self.failed and all(job.ended() == exits.OK for job in self.running):
            shutil.rmtree(self.folder, ignore_errors=True)


def work(text: str, log: Path, stop_file: Path) -> int:
    """Run a job in this process, on a node; its exit code."""
    try:
        _speak_to(log)
        logging.getLogger("submitit").setLevel(logging.ERROR)  # people read the log for the job's sake
        signal.signal(signal.SIGUSR2, lambda *_: signal.raise_signal(signal.SIGINT))  # its time is nearly over
        if stop_file.exists():
            return exits.INTERRUPTED
        from bench.runner.main import run

        return run(text)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) and end.code else 1
    except Exception:
        traceback.print_exc()
        return 1


def _speak_to(log: Path) -> None:
    """Output and errors of this process go to a file, also those of the interpreter's own death."""
    log.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    faulthandler.enable()


def needs(job: Job) -> dict[str, Any]:
    """What a job asks Slurm for, in submitit's words. srun does not take the cores over from sbatch by itself."""
    found = {"cpus_per_task": job.threads, "srun_args": [f"--cpus-per-task={job.threads}"]}
    return found | ({"gpus_per_node": 1} if job.device == "cuda" else {})


def settings(text: str) -> dict[str, str]:
    """Options of sbatch from `name=value,name=value`; a value may have commas, as in `nodelist=n1,n2`.

    Raises:
        BenchError: for what is not of that form and for unknown names.
    """
    found: dict[str, str] = {}
    for word in re.split(r",(?=[^,=]*=)", text) if text.strip() else []:
        name, equals, value = (part.strip() for part in word.partition("="))
        name = name.replace("_", "-")
        if not equals or not value:
            raise BenchError(f"{SETTINGS}: '{word.strip()}' is not name=value, as in partition=gpu,time=60")
        if name not in KNOWN:
            raise BenchError(f"{SETTINGS}: no option '{name}'; there are {', '.join(KNOWN)}")
        if name == "time" and not re.fullmatch(r"(\d+-)?\d+(:\d+){0,2}", value):
            raise BenchError(f"{SETTINGS}: time={value} is neither minutes nor as in 1-12:00:00")
        found[name] = value
    return found


def build(place: Place, slots: int | None) -> Slurm:
    """Submit to the cluster that `sbatch` on this machine knows.

    Raises:
        MissingExtra: if submitit is not installed. BenchError: if `BENCH_SLURM` is wrong, or Slurm is not here.
    """
    wanted = settings(os.environ.get(SETTINGS, ""))
    submitit = package("submitit", "slurm", "the executor 'slurm'")
    folder = place.results.resolve() / ".work" / "slurm" / uuid.uuid4().hex[:8]
    try:
        submitter = submitit.SlurmExecutor(folder)
    except RuntimeError as error:
        raise BenchError("there is no Slurm on this machine: srun is not found") from error
    # no time and no key but those asked for; a job whose node fails is ours to start again, not Slurm's
    submitter.update_parameters(
        job_name="lowbit-bench",
        time=None,
        wckey=None,
        stderr_to_stdout=True,
        additional_parameters={**wanted, "no-requeue": True},
    )
    return Slurm(submitter, folder, Squeue(), MOST if slots is None else slots)

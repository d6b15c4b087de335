"""Jobs on a Ray cluster, or on a Ray of this machine's own; results and data lie where every machine sees them.

Each is a Ray task, which waits for a fresh process that runs the job: Ray's own workers live longer than a job does.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import time
import uuid
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.extras import package
from bench.runner import exits
from bench.runner.job import Job
from bench.sweep.executors import LOST, Executor, Running, errand
from bench.sweep.executors.elsewhere import environment
from bench.sweep.place import Place

SHARE = "BENCH_RAY_GPU_SHARE"
"""Environment variable with the part of a GPU that a job gets, as in `0.25`; 1 by default."""

VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray is going to do anyway, and warns of
    "RAY_worker_niceness": "0",  # jobs are what a machine is for; otherwise they yield to everything else on it
}
"""How Ray is to be, unless the environment says otherwise; the last one only where the sweep starts Ray itself."""

MOST = 1000
"""Jobs handed over at once where nobody says how many."""

LOOK = 0.5
"""Seconds between two looks at a job."""


class Sent(Running):
    """A job that Ray was given.

    Args:
        ray: the module. task: the reference to its exit code. log: the job's.
        begun, stop_file: files that say that it began, and that it shall end.
    """

    def __init__(self, ray: Any, task: Any, log: Path, begun: Path, stop_file: Path) -> None:
        self.ray, self.task, self.log, self.begun, self.stop_file = ray, task, log, begun, stop_file
        self.code: int | str | None = None
        self.asked = self.killed = False
        self.looked = float("-inf")
        self.began: float | None = None

    def ended(self) -> int | str | None:
        if self.code is None and time.monotonic() - self.looked >= LOOK:
            self.looked = time.monotonic()
            if self.began is None and self.begun.exists():
                self.began = self.looked
            if self.ray.wait([self.task], timeout=0)[0]:
                self.code = self._code()
                self.begun.unlink(missing_ok=True)
                self.stop_file.unlink(missing_ok=True)
        return self.code

    def seconds(self) -> float:
        return time.monotonic() - self.began if self.began is not None else 0.0

    def stop(self, *, at_once: bool) -> None:
        if self.code is not None:
            return
        if at_once and not self.killed:
            self.killed = True
            self.ray.cancel(self.task, force=True)
        elif not at_once and not self.asked:
            self.asked = True
            self.stop_file.touch()
            if not self.begun.exists():
                self.ray.cancel(self.task, force=False)

    def _code(self) -> int | str:
        """The exit code of a task that has ended."""
        errors = self.ray.exceptions
        try:
            code: int | None = self.ray.get(self.task)
            return exits.INTERRUPTED if code is None else code
        except errors.OutOfMemoryError:  # Ray killed it before the kernel would have
            return -signal.SIGKILL
        except errors.RayTaskError as error:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("a") as log:
                print(error, file=log)
            return 1
        except errors.RayError:  # its worker, its machine or its owner went away, or it was cancelled
            if self.killed:
                return -signal.SIGKILL
            return exits.INTERRUPTED if self.asked else LOST


class Ray(Executor):
    """Sends jobs.

    Args:
        ray: the module, connected. folder: for the files through which jobs are stopped. most: jobs at once.
        gpu: part of a GPU that a job on one gets.
    """

    def __init__(self, ray: Any, folder: Path, most: int, gpu: float) -> None:
        self.ray, self.folder, self.most, self.gpu = ray, folder, most, gpu
        self.running: list[Sent] = []

    def free(self) -> bool:
        self.running = [job for job in self.running if job.ended() is None]
        return len(self.running) < self.most

    def start(self, job: Job) -> Sent:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{job.key}-{uuid.uuid4().hex[:8]}"
        begun, stop_file = self.folder / f"{name}.begun", self.folder / f"{name}.stop"
        remote = self.ray.remote(num_cpus=job.threads, num_gpus=gpus(job, self.gpu), max_retries=0)(errand.run)
        task = remote.options(name=job.title).remote(
            job.text(), job.device, job.log, environment(job), begun, stop_file
        )
        self.running.append(Sent(self.ray, task, job.log, begun, stop_file))
        return self.running[-1]

    def close(self) -> None:
        for job in self.running:
            if job.ended() is None:
                job.stop(at_once=True)
        for job in self.running:  # a driver that leaves at once may leave them running
            deadline = time.monotonic() + 10
            while job.ended() is None and time.monotonic() < deadline:
                time.sleep(LOOK)
        self.ray.shutdown()


def gpus(job: Job, share: float) -> float:
    """GPUs that a job asks Ray for."""
    return share if job.device == "cuda" else 0.0


def share_of(text: str) -> float:
    """The part of a GPU that a job gets, in (0, 1].

    Raises:
        BenchError: for anything else.
    """
    try:
        share = float(text or 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise BenchError(f"{SHARE}={text} is no part of a GPU; give a number above 0 and up to 1, as in 0.25")
    return share


def _reach(address: str) -> None:
    """See whether anything listens at an address, where Ray would try for minutes.

    Raises:
        BenchError: if nothing does.
    """
    if found := re.fullmatch(r"([\w.-]+):(\d+)", address):
        try:
            socket.create_connection((found[1], int(found[2])), timeout=10).close()
        except (OSError, OverflowError) as error:
            raise BenchError(f"no Ray cluster answers at RAY_ADDRESS={address}: {error}") from error


def build(place: Place, slots: int | None) -> Ray:
    """Connect to the cluster of `RAY_ADDRESS`, else to one on this machine, else start one here.

    Raises:
        MissingExtra: if Ray is not installed. BenchError: if no cluster answers or no machine in it is large enough.
    """
    share = share_of(os.environ.get(SHARE, ""))
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    ray = package("ray", "ray", "the executor 'ray'")
    _reach(os.environ.get("RAY_ADDRESS", ""))
    ray.cloudpickle.register_pickle_by_value(errand)
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="error", ignore_reinit_error=True)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = os.environ.get("RAY_ADDRESS", "this machine")
        raise BenchError(f"no Ray cluster answers at {where}: {error}") from error
    needed = {"CPU": float(place.threads), "GPU": share if place.device == "cuda" else 0.0}
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(found.get(name, 0.0) >= need for name, need in needed.items()) for found in machines):
        ray.shutdown()
        told = " and ".join(f"{need:g} {name}" for name, need in needed.items() if need)
        raise BenchError(f"no machine of the Ray cluster has {told}; give fewer --threads, or add a machine first")
    return Ray(ray, place.results.resolve() / ".work" / "ray", MOST if slots is None else slots, share)

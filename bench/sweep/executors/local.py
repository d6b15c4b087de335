"""Jobs on this machine, each in a process of its own on a slot of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

from bench.runner.job import Job
from bench.sweep.executors import LOST, Executor, Running
from bench.sweep.place import Place
from bench.sweep.slots import Slot, slots

GRACE = 0.5
"""Seconds that a process has to write its stacks to the log before it is killed."""


class Forked(Running):
    """A job that the nursery forked."""

    def __init__(self, local: Local, slot: Slot) -> None:
        self.local, self.slot = local, slot
        self.pid: int | None = None
        self.code: int | str | None = None
        self.began = time.monotonic()

    def ended(self) -> int | str | None:
        self.local.listen()
        return self.code

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def stop(self, *, at_once: bool) -> None:
        while self.pid is None and self.ended() is None:
            time.sleep(0.01)
        if self.pid is None or self.ended() is not None:
            return
        if at_once:
            self._signal(signal.SIGUSR1)
            time.sleep(GRACE)
        self._signal(signal.SIGKILL if at_once else signal.SIGINT)

    def _signal(self, number: signal.Signals) -> None:
        """Every process of the job gets a killing, only the job itself a question."""
        assert self.pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number) if number == signal.SIGKILL else os.kill(self.pid, number)


class Local(Executor):
    """Forks jobs from a nursery (see `bench.runner.nursery`)."""

    def __init__(self, found: list[Slot], device: str, threads: int) -> None:
        self.idle, self.device, self.threads = found, device, threads
        self.jobs: dict[int, Forked] = {}
        self.count = 0
        self.heard = b""
        self.nursery = self._nursery()

    def free(self) -> bool:
        self.listen()
        return bool(self.idle)

    def start(self, job: Job) -> Forked:
        if self.nursery.poll() is not None:
            self.nursery = self._nursery()
        forked, number = Forked(self, self.idle.pop(0)), self.count
        self.jobs[number] = forked
        self.count += 1
        order = {"start": number, "job": job.text(), "log": str(job.log)}
        order |= {"cores": list(forked.slot.cores), "environment": forked.slot.environment}
        assert self.nursery.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then the job is found lost
            self.nursery.stdin.write(json.dumps(order).encode() + b"\n")
            self.nursery.stdin.flush()
        return forked

    def listen(self) -> None:
        """Take in the nursery's news."""
        assert self.nursery.stdout is not None
        while (given := self.nursery.stdout.read(1 << 16)) is not None:
            if not given:  # it was killed, and its jobs with it
                for number in list(self.jobs):
                    self._note({"number": number, "code": LOST})
                return
            *lines, self.heard = (self.heard + given).split(b"\n")
            for line in lines:
                self._note(json.loads(line))

    def _note(self, news: dict[str, Any]) -> None:
        if "pid" in news:
            self.jobs[news["number"]].pid = news["pid"]
        else:
            forked = self.jobs.pop(news["number"])
            forked.code = news["code"]
            self.idle.append(forked.slot)

    def close(self) -> None:
        assert self.nursery.stdin is not None and self.nursery.stdout is not None
        if not self.jobs:
            self.nursery.kill()  # it may still be importing
        with contextlib.suppress(BrokenPipeError):
            self.nursery.stdin.close()  # it kills what still runs
        self.nursery.wait()
        self.nursery.stdout.close()

    def _nursery(self) -> subprocess.Popen[bytes]:
        limits = {"OMP_NUM_THREADS": str(self.threads), "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "bench.runner.nursery", self.device]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, bufsize=0, env=os.environ | limits, start_new_session=True
        )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        return process


def build(place: Place, wanted: int | None) -> Local:
    """As many at once as this machine has slots."""
    return Local(slots(place.device, place.threads, wanted), place.device, place.threads)

"""Jobs in this very process, one after the other, saying what they say to the terminal: for debugging."""

from __future__ import annotations

import time
import traceback

from bench.runner.job import Job
from bench.runner.main import run
from bench.sweep.executors import Executor, Running
from bench.sweep.place import Place


class Done(Running):
    """A job that has ended."""

    def __init__(self, code: int, spent: float) -> None:
        self.code, self.spent = code, spent

    def ended(self) -> int:
        return self.code

    def seconds(self) -> float:
        return self.spent

    def stop(self, *, at_once: bool) -> None:
        """There is nothing left to stop."""


class Inline(Executor):
    """Runs a job when it is handed over."""

    def free(self) -> bool:
        return True

    def start(self, job: Job) -> Done:
        began = time.monotonic()
        try:
            code = run(job.text())
        except Exception:
            traceback.print_exc()
            code = 1
        return Done(code, time.monotonic() - began)

    def close(self) -> None:
        """Nothing is held."""


def build(place: Place, wanted: int | None) -> Inline:
    """One at a time, whatever is wanted."""
    return Inline()

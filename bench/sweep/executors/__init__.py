"""Executors: where the jobs of a sweep run. Each starts jobs and tells how they ended; none decides anything."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.runner.job import Job
    from bench.sweep.place import Place

NAMES = ("local", "inline", "slurm", "ray")

LOST = "lost"
"""End of a job whose machine went away: nobody knows how far it came, and it may be started again elsewhere."""


class Running(ABC):
    """A job that was handed to an executor."""

    @abstractmethod
    def ended(self) -> int | str | None:
        """None while it waits or runs; then its exit code, the negative number of the signal that ended it, or LOST."""

    @abstractmethod
    def seconds(self) -> float:
        """Seconds since it began to run; 0 while it waits in a queue."""

    @abstractmethod
    def stop(self, *, at_once: bool) -> None:
        """Ask for a checkpoint and an end at the next step; or, at once, kill it with its children."""


class Executor(ABC):
    """Runs jobs by calling `bench.runner.main.run` with their text, here or elsewhere."""

    @abstractmethod
    def free(self) -> bool:
        """Whether it takes another job now."""

    @abstractmethod
    def start(self, job: Job) -> Running:
        """Hand over a job, which writes what it says to `job.log`."""

    @abstractmethod
    def close(self) -> None:
        """Kill what still runs and give back what the executor holds."""


def executor(name: str, place: Place, slots: int | None) -> Executor:
    """The executor of a name; only its module is imported.

    Args:
        slots: how many jobs at once, or None for what the executor finds right.

    Raises:
        MissingExtra: if the package that it needs is not installed, with how to install it.
    """
    module = importlib.import_module(f"bench.sweep.executors.{name}")
    built: Executor = module.build(place, slots)
    return built

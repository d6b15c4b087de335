"""What Slurm says of jobs, through `squeue` and `scancel`, which need no accounting database."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass

POLL = 5.0
"""Seconds between two calls of squeue, each for all jobs of this user."""

PATIENCE = 60.0
"""Seconds that a command of Slurm may take."""


@dataclass(frozen=True)
class Entry:
    """A job as Slurm sees it.

    Attributes:
        state: Slurm's name of it, as RUNNING or NODE_FAIL. seconds: that it has run.
        code: its exit code, or the negative number of the signal that ended it, once it has ended.
    """

    state: str
    seconds: float
    code: int


class Squeue:
    """The jobs of this user, as of the last time that Slurm answered.

    Attributes:
        asked, answered: when squeue was last called, and last answered (monotonic seconds).
        interrupts, kills: jobs to be stopped so at the next `flush`.
    """

    def __init__(self) -> None:
        self.asked = self.answered = float("-inf")
        self.entries: dict[str, Entry] = {}
        self.interrupts: list[str] = []
        self.kills: list[str] = []

    def entry(self, name: str) -> Entry | None:
        """A job by its id. None where Slurm does not list it: not yet, or no longer, some minutes after its end."""
        self.flush()
        if time.monotonic() - self.asked >= POLL:
            self._ask()
        return self.entries.get(name)

    def interrupt(self, name: str) -> None:
        """Cancel a job that waits; send SIGINT to the tasks of one that runs, its batch script spared."""
        self.interrupts.append(name)

    def kill(self, name: str) -> None:
        """Send SIGKILL to the tasks of a job, then cancel whatever is left of it."""
        self.kills.append(name)

    def flush(self) -> None:
        """Send what was said since the last call, with one command for all jobs."""
        if self.interrupts:
            _call("scancel", "--quiet", "--state=PENDING", *self.interrupts)
            _call("scancel", "--quiet", "--signal=INT", *self.interrupts)
            self.interrupts.clear()
        if self.kills:
            _call("scancel", "--quiet", "--signal=KILL", *self.kills)
            _call("scancel", "--quiet", *self.kills)
            self.kills.clear()

    def _ask(self) -> None:
        self.asked = time.monotonic()
        columns = "JobID:40,State:20,TimeUsed:30,exit_code:20"
        told = _call("squeue", "--me", "--states=all", "--noheader", f"--Format={columns}")
        if told is None:
            return
        self.entries = {}
        for line in told.splitlines():
            name, state, used, code = line.split()
            self.entries[name] = Entry(state, _seconds(used), _code(code))
        self.answered = time.monotonic()


def _call(*command: str) -> str | None:
    """What a command prints, or None if it fails: the controller may be away for a while."""
    with contextlib.suppress(subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout
    return None


def _seconds(used: str) -> float:
    """Seconds of a time such as 1-02:03:04 or 3:04; 0 for none."""
    days, _, rest = used.rpartition("-")
    try:
        total = 0
        for part in rest.split(":"):
            total = 60 * total + int(part)
        return float(total + 86400 * int(days or 0))
    except ValueError:  # as N/A
        return 0.0


def _code(text: str) -> int:
    """The exit code in what Slurm gives: a status as of wait(2), or code:signal. A shell says 128 + n for signal n."""
    code, _, number = text.partition(":")
    found = -int(number) or int(code) if number else os.waitstatus_to_exitcode(int(code))
    return 128 - found if found > 128 else found

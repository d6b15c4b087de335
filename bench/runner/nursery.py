"""`python -m bench.runner.nursery cpu|cuda`: starts jobs by forking, so that PyTorch is imported once for a sweep.

It imports, and computes nothing: no thread pool and no CUDA context exists that a fork could break. Orders come in and
news goes out as one line of JSON each. When its parent is gone it kills every job and ends; when it is killed itself,
the kernel (Linux alone) kills its jobs.

    in:  {"start": 7, "job": "<text>", "log": "<path>", "cores": [0], "environment": {"CUDA_VISIBLE_DEVICES": "0"}}
    out: {"number": 7, "pid": 123}   {"number": 7, "code": -11}
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import json
import os
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
TICK = 0.02
"""Seconds between looks at whether a job has ended."""


def main() -> None:
    """Serve orders until there is nobody left to give any."""
    _import(sys.argv[1])
    jobs: dict[int, int] = {}
    waiting = b""
    try:
        while True:
            if select.select([0], [], [], TICK if jobs else None)[0]:
                given = os.read(0, 1 << 16)
                if not given:
                    return
                *lines, waiting = (waiting + given).split(b"\n")
                for line in lines:
                    _start(json.loads(line), jobs)
            for pid, code in _ended(jobs):
                _tell(number=jobs.pop(pid), code=code)
    except BrokenPipeError:
        pass
    finally:
        for pid in jobs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _import(device: str) -> None:
    """Load PyTorch and the runner, for all jobs."""
    import torch

    import bench.runner.group  # noqa: F401

    if device == "cpu":
        # an optimiser imports a thousand modules more; some look for GPUs, which would break CUDA in forks
        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def _start(order: dict[str, Any], jobs: dict[int, int]) -> None:
    pid = os.fork()
    if pid == 0:
        _become(order)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    jobs[pid] = order["start"]
    _tell(number=order["start"], pid=pid)


def _ended(jobs: dict[int, int]) -> list[tuple[int, int]]:
    """Process ids of jobs that ended, each with its exit code or the negative number of its signal."""
    found = []
    for pid in jobs:
        which, status = os.waitpid(pid, os.WNOHANG)
        if which:
            found.append((pid, os.waitstatus_to_exitcode(status)))
    return found


def _tell(**news: int) -> None:
    os.write(1, json.dumps(news).encode() + b"\n")


def _become(order: dict[str, Any]) -> NoReturn:
    """Turn this fork into a job: a process group, a log, cores and an environment of its own."""
    code = 1
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        _die_with_parent()
        _speak_to(Path(order["log"]))
        os.environ.update(order["environment"])
        if order["cores"] and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, order["cores"])
        from bench.runner.main import run

        code = run(order["job"])
    except BaseException:  # the fork must never return into the nursery
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _speak_to(log: Path) -> None:
    """Output and errors go to a file, also the stack at the interpreter's own death, or on SIGUSR1."""
    log.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    faulthandler.enable(all_threads=False)
    faulthandler.register(signal.SIGUSR1, all_threads=False)


def _die_with_parent() -> None:
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    main()

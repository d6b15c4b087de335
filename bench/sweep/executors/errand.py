"""What a worker of Ray does for a job: start a fresh process, which finds our code, and wait for it.

Workers need not find our code themselves: this module goes to them whole, so it uses the standard library alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOOK = 0.5
"""Seconds between two looks at whether the job shall end."""


def run(text: str, device: str, log: Path, variables: dict[str, str], begun: Path, stop_file: Path) -> int | None:
    """Run a job in a process of its own on this machine; its exit code, or None where it was stopped before it began.

    The process is a fork of a nursery, which kills it when the worker that calls this goes away.

    Args:
        text, device: the job, and what it trains on. log: takes what the process says.
        variables: of its environment, besides this process's.
        begun: a file to create. stop_file: a file whose creation asks the job to end.
    """
    if stop_file.exists():
        return None
    begun.touch()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file, _interruptible():
        nursery = subprocess.Popen(
            [sys.executable, "-m", "bench.runner.nursery", device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            env=os.environ | variables,
            start_new_session=True,
        )
    with nursery:  # which closes its input, on which it ends
        return _wait(nursery, {"start": 0, "job": text, "log": str(log), "cores": [], "environment": {}}, stop_file)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Within it, processes are started that SIGINT reaches: Ray blocks it in its workers."""
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait(nursery: subprocess.Popen[bytes], order: dict[str, Any], stop_file: Path) -> int:
    """Give an order and wait for its end, which the file asks to be an early one."""
    assert nursery.stdin is not None and nursery.stdout is not None
    pid = asked = 0
    try:
        nursery.stdin.write(json.dumps(order).encode() + b"\n")
        nursery.stdin.flush()
    except BrokenPipeError:  # it could not start, and says why in the log
        return nursery.wait() or 1
    while True:
        try:
            if select.select([nursery.stdout], [], [], LOOK)[0]:
                line = nursery.stdout.readline()
                if not line:  # it was killed, and the job with it
                    return nursery.wait() or 1
                news = json.loads(line)
                if "code" in news:
                    return int(news["code"])
                pid = news["pid"]
                continue  # the job is not ready for a signal yet
            stop = stop_file.exists()
        except KeyboardInterrupt:  # how Ray cancels
            stop = True
        if stop and pid and not asked:
            asked = pid
            os.kill(pid, signal.SIGINT)

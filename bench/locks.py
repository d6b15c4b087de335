"""File locks that also hold on shared file systems: one file, its owner's description, and a heartbeat.

A lock is a file that only one process can create. Whoever wants to change an existing lock file, to take it over or
to release it, first takes a second lock named after the content it means to change (the claim). Contents never come
back, so of two processes that find the same owner gone only one gets the claim, and the other one's view is void.
Nothing here needs fcntl. The one thing that no lock file can prevent: an owner that was frozen for longer than
`SILENCE` and wakes up; it can ask `Lock.mine` before each step.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench.errors import Busy, ResultsUnwritable
from bench.files import canonical_json

SILENCE = 300.0
"""Seconds without a heartbeat after which an owner counts as gone."""

UNSIGNED = 10.0
"""Seconds after which an empty lock file is that of a process killed before it could write into it."""

HEARTBEAT = 30.0
"""Seconds between heartbeats."""

POLL = 0.2
"""Seconds between two tries of someone who waits."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lock.

    Attributes:
        host: its name. space: its process-id namespace, as containers of one host name may have several.
        pid, started: the process, and its start in seconds after boot, which tells it from a later one of that pid.
        since: when it took the lock (UTC). token: random, so that no two lock files are ever equal.
    """

    host: str
    space: str
    pid: int
    started: float
    since: str
    token: str

    @classmethod
    def me(cls) -> Owner:
        """This process, about to take a lock."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(*_here(), os.getpid(), _started(psutil.Process()), since, uuid.uuid4().hex)

    @classmethod
    def parse(cls, content: bytes) -> Owner | None:
        """The owner that a lock file names, or None where the file is empty or foreign."""
        try:
            return cls(**json.loads(content))
        except (TypeError, ValueError):
            return None

    @property
    def dead(self) -> bool:
        """Whether the owner ran on this host and no longer does."""
        if (self.host, self.space) != _here():
            return False
        try:
            process = psutil.Process(self.pid)
            return process.status() == psutil.STATUS_ZOMBIE or abs(_started(process) - self.started) > 1
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False


@dataclass(frozen=True)
class Lock:
    """A lock held by this process: its file and what it wrote there."""

    path: Path
    content: bytes

    def mine(self) -> bool:
        """Whether it is still held, rather than taken over by someone who found this process silent."""
        return _read(self.path) == self.content


@contextlib.contextmanager
def hold(path: Path, *, wait: float = 0) -> Iterator[Lock]:
    """Hold the lock file `path` while the block runs.

    Args:
        wait: seconds to wait for another owner to release it.

    Raises:
        Busy: with who holds it, if a live process does.
        ResultsUnwritable: if the file cannot be created.
    """
    lock = Lock(path, canonical_json(asdict(Owner.me())).encode())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _take_within(lock, wait)
    except OSError as error:
        raise ResultsUnwritable(f"cannot lock {path}: {error.strerror or error}; choose another folder") from error
    try:
        with _heartbeat(lock):
            yield lock
    finally:
        with contextlib.suppress(OSError):
            _release(lock)


def owner(path: Path) -> Owner | None:
    """Who holds the lock file `path` and is alive, or None."""
    content = _read(path)
    return Owner.parse(content) if content and not _gone(path, content) else None


def _take_within(lock: Lock, wait: float) -> None:
    """Try until the lock is taken.

    Raises:
        Busy: if it is still held after `wait` seconds.
    """
    deadline = time.monotonic() + wait
    while not _take(lock.path, lock.content):
        if time.monotonic() >= deadline:
            raise Busy(_held(lock.path))
        time.sleep(POLL)


def _take(path: Path, content: bytes) -> bool:
    """Create the lock, or take it over from an owner that is gone; False if it is held."""
    while not _create(path, content):
        found = _read(path)
        if found is None:
            continue
        claim = _claim(path, found)
        if not _gone(path, found) or not _take(claim, content):
            return False
        if _read(path) == found and _gone(path, found):
            os.replace(claim, path)
            return True
        claim.unlink(missing_ok=True)
    return True


def _release(lock: Lock) -> None:
    """Remove the lock file, unless someone has taken the lock over or is about to."""
    claim = _claim(lock.path, lock.content)
    if _take(claim, lock.content):
        if lock.mine():
            lock.path.unlink()
        claim.unlink(missing_ok=True)


def _create(path: Path, content: bytes) -> bool:
    """Create a file that does not exist; False if it does."""
    try:
        file = path.open("xb")
    except FileExistsError:
        return False
    try:
        with file:
            file.write(content)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return True


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _claim(path: Path, content: bytes) -> Path:
    """The lock that guards changing this content of a lock file."""
    return path.with_name(f"{path.name}.{hashlib.sha256(content).hexdigest()[:16]}")


def _gone(path: Path, content: bytes) -> bool:
    """Whether the owner of a lock file is dead on this host, or silent wherever it is."""
    owner = Owner.parse(content)
    return (owner is not None and owner.dead) or _silent(path) > (SILENCE if content else UNSIGNED)


def _silent(path: Path) -> float:
    """Seconds since the last heartbeat, by the file system's own clock, which all hosts share; 0 for no file."""
    with tempfile.TemporaryFile(dir=path.parent) as now, contextlib.suppress(FileNotFoundError):
        return os.fstat(now.fileno()).st_mtime - path.stat().st_mtime
    return 0.0


@contextlib.contextmanager
def _heartbeat(lock: Lock) -> Iterator[None]:
    """Renew the lock file's time every `HEARTBEAT` seconds, as long as it is ours."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT):
            with contextlib.suppress(OSError):
                if lock.mine():
                    os.utime(lock.path)

    thread = threading.Thread(target=beat, name=f"heartbeat {lock.path.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _held(path: Path) -> str:
    """Who holds a lock, for a person."""
    owner = Owner.parse(_read(path) or b"")
    who = f"process {owner.pid} on {owner.host} since {owner.since}" if owner else "another process"
    return f"{path} is held by {who}; wait until it is done, or stop it"


def _here() -> tuple[str, str]:
    """This host and process-id namespace."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return socket.gethostname(), space


def _started(process: psutil.Process) -> float:
    """Start of a process in seconds after boot, which does not move when the clock is set."""
    return round(process.create_time() - psutil.boot_time(), 2)

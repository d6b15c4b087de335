"""A quiet device: trainings pause at a step boundary while someone measures. Machine-wide, of one user.

One folder a device. `lock` is held by who measures (the asker), who then writes `request`, a copy of what the lock
says. Each training holds a lock of its own, `<token>.training`, and says that it is paused by copying the request to
`<token>.paused`. A training looks for the request after it has registered, and the asker for trainings after it has
written the request, so that neither can miss the other. Whoever is killed leaves files that name a dead owner, which
count for nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bench.errors import Busy, ResultsUnwritable
from bench.files import write_bytes
from bench.locks import POLL, SILENCE, Lock, Owner, hold
from bench.measure import devices


class Training:
    """A process that trains on a device, and pauses at a step boundary while someone measures there.

    Where the folder cannot be written nobody can ask either, and the training never pauses.
    """

    def __init__(self, device: str, say: Callable[[str], object] = lambda line: None) -> None:
        """`device` as `devices.name` gives it; `say` tells a person why nothing happens."""
        self._device, self._say = device, say
        self._folder = devices.folder(device)
        self._request = str(self._folder / "request")
        self._file = self._folder / f"{uuid.uuid4().hex}.training"
        self._void: tuple[int, int] | None = None
        self._registered = contextlib.ExitStack()

    def __enter__(self) -> Training:
        """Register, and begin only after a measurement that is under way."""
        with contextlib.suppress(ResultsUnwritable):
            devices.prepare(self._folder)
            self._registered.enter_context(hold(self._file))
        try:
            self.boundary()
        except BaseException:
            self._registered.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._registered.close()

    def boundary(self, stop: Callable[[], bool] = lambda: False) -> float:
        """Between two steps: wait while someone measures. Costs one look at a file where nobody does.

        Args:
            stop: whether the training is to end; asked while it waits, which it then does no longer.

        Returns:
            Seconds it was paused.
        """
        try:
            found = os.stat(self._request)
        except OSError:
            return 0.0
        return 0.0 if (found.st_ino, found.st_mtime_ns) == self._void else self._pause(stop)

    def _pause(self, stop: Callable[[], bool]) -> float:
        if self._asked() is None:
            return 0.0
        devices.drain(self._device)
        began, told = time.perf_counter(), None
        try:
            while not stop() and (request := self._asked()) is not None:
                if request != told:
                    told = self._tell(request)
                time.sleep(POLL)
        finally:
            with contextlib.suppress(OSError):
                self._file.with_suffix(".paused").unlink()
        return time.perf_counter() - began

    def _asked(self) -> bytes | None:
        """The request, while who wrote it is there; one of a dead asker is not looked at again."""
        try:
            found = os.stat(self._request)
            content = Path(self._request).read_bytes()
        except OSError:
            return None
        if _there(Lock(self._folder / "lock", content)):
            return content
        self._void = (found.st_ino, found.st_mtime_ns)
        return None

    def _tell(self, request: bytes) -> bytes:
        """Say that this training is paused, to the asker and to a person."""
        with contextlib.suppress(ResultsUnwritable):
            write_bytes(self._file.with_suffix(".paused"), request)
        owner = Owner.parse(request)
        self._say(f"paused while process {owner.pid if owner else '?'} measures on this device")
        return request


@dataclass(frozen=True)
class Alone:
    """A device to oneself: its lock, and the ids of the training processes that paused for it."""

    lock: Lock
    paused: tuple[int, ...]

    def still(self) -> bool:
        """Whether it still is; not where this process was frozen for so long that others went on."""
        return self.lock.mine()


@contextlib.contextmanager
def exclusive(device: str, *, wait: float = 600.0) -> Iterator[Alone]:
    """Have a device to oneself while the block runs: no other measurement, and every training paused.

    Args:
        device: as `devices.name` gives it.
        wait: seconds to wait, in all, for other measurements to end and for trainings to pause.

    Raises:
        Busy: naming who measures, or the trainings that did not pause in time.
        ResultsUnwritable: if the runtime folder cannot be written.
    """
    folder, deadline = devices.folder(device), time.monotonic() + wait
    devices.prepare(folder)
    with hold(folder / "lock", wait=wait) as lock:
        try:
            write_bytes(folder / "request", lock.content)
            while running := _running(folder, lock.content):
                if time.monotonic() >= deadline:
                    raise Busy(f"{' and '.join(running)} reached no step boundary within {wait:g} s; wait or stop it")
                time.sleep(POLL)
            yield Alone(lock, _paused(folder, lock.content))
        finally:
            if lock.mine():
                (folder / "request").unlink(missing_ok=True)


def _running(folder: Path, request: bytes) -> list[str]:
    """The trainings that go on. Files of those that are gone are removed."""
    found = []
    for file in sorted(folder.glob("*.training")):
        if _read(file.with_suffix(".paused")) == request:
            continue
        owner = Owner.parse(_read(file) or b"")
        try:
            with hold(file):  # which only succeeds where its owner is gone
                file.with_suffix(".paused").unlink(missing_ok=True)
        except Busy:
            found.append(f"training process {owner.pid}" if owner else "a training process")
    return found


def _paused(folder: Path, request: bytes) -> tuple[int, ...]:
    """The processes whose trainings are paused."""
    files = [file for file in folder.glob("*.training") if _read(file.with_suffix(".paused")) == request]
    owners = [Owner.parse(_read(file) or b"") for file in files]
    return tuple(owner.pid for owner in owners if owner)


def _there(lock: Lock) -> bool:
    """Whether the owner of a device's lock is alive and still holds it."""
    owner = Owner.parse(lock.content)
    try:
        return owner is not None and not owner.dead and lock.mine() and _silence(lock.path) <= SILENCE
    except FileNotFoundError:
        return False


def _silence(path: Path) -> float:
    """Seconds since the last heartbeat, by this machine's clock; the folder is this machine's."""
    return time.time() - path.stat().st_mtime


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None

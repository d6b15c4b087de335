"""The rule of data access: a method whose card declares `data="none"` sees no training image.

An audit hook watches every file that the process opens from Python, in any thread. It holds against mistakes and
shortcuts, whichever library takes them; it is no wall against native code or a second process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from bench.errors import DataAccessDenied

_active: Guard | None = None
_installed = False


class Guard:
    """While entered, opening a training file or drawing a procedural training split raises DataAccessDenied.

    The first violation is kept. Leaving the context raises it again if the method swallowed or replaced it; `check`
    does so at any time.

    Args:
        method: name of the watched method, for the message.
        files: training files of the data set (`store.training_files`). Links to them, symbolic or hard, count.
    """

    def __init__(self, method: str, files: Iterable[Path]) -> None:
        self.method = method
        self.files = {identity: file for file in files if (identity := _identity(file))}
        self.violation: DataAccessDenied | None = None
        self._outer: Guard | None = None

    def check(self) -> None:
        """Raise DataAccessDenied if anything was denied so far."""
        if self.violation:
            raise self.violation

    def __enter__(self) -> Guard:
        global _active
        _install()
        self._outer, _active = _active, self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _active
        _active = self._outer
        if error is not self.violation and (error is None or isinstance(error, Exception)):
            self.check()

    def watch(self, event: str, arguments: tuple[object, ...]) -> None:
        """Deny an audit event that gives access to training images."""
        if event == "open":
            identity = _identity(arguments[0])
            if identity in self.files:
                self._deny(f"opened {self.files[identity]}, a file of the training split")
        elif event == "bench.data.shapes" and arguments[1] == "train":
            self._deny(f"drew the training split of {arguments[0]}")

    def _deny(self, deed: str) -> None:
        denied = DataAccessDenied(f"method '{self.method}' {deed}, but its card declares data='none'")
        self.violation = self.violation or denied
        raise denied


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _active is not None and (event == "open" or event == "bench.data.shapes"):
        _active.watch(event, arguments)


def _install() -> None:
    """Add the hook once: Python never removes one."""
    global _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True


def _identity(path: object) -> tuple[int, int] | None:
    """Device and inode of a path or descriptor, whatever links lead to it; None where there is no such file."""
    try:
        stat = os.stat(path)  # type: ignore[arg-type]  # the first argument of any "open" event
    except (OSError, ValueError, TypeError):
        return None
    return stat.st_dev, stat.st_ino

"""Files that are written whole or not at all, and content hashes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from bench.errors import ResultsUnwritable


def write_whole(path: Path, write: Callable[[BinaryIO], object], *, durable: bool = True) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to disk, then rename it into place.

    Args:
        durable: whether the file must outlast a crash of the machine, which takes some milliseconds.

    Raises:
        ResultsUnwritable: if the folder cannot be written or the disk is full; nothing is left behind.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            write(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise ResultsUnwritable(
            f"cannot write {path}: {error.strerror or error}; free space or choose another folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # on a read-only file system there is nothing to remove
            part.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` whole or not at all."""
    write_whole(path, lambda file: file.write(data))


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def ensure_writable(results: Path) -> None:
    """Find out before anything runs whether a results folder can be written.

    Raises:
        ResultsUnwritable: if it cannot.
    """
    probe = results / ".work" / "writable"
    write_text(probe, "")
    probe.unlink(missing_ok=True)  # another command may be finding out the same


def canonical_json(value: Any) -> str:
    """The one compact JSON text of a plain value: sorted keys, no spaces, no NaN.

    Raises:
        ValueError: for NaN or infinity. TypeError: for anything that is not plain data.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def pretty_json(value: Any) -> str:
    """JSON for files that people and git read: sorted keys, one space of indent, a final newline."""
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n"


def digest(value: Any) -> str:
    """sha256 (hex) of the canonical JSON of a plain value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()

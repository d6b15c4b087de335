"""The devices of this machine: their names, and a folder each in which this user's processes arrange themselves."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from bench.errors import ResultsUnwritable


def name(kind: str) -> str:
    """`cpu`, of which there is one a machine, or `cuda-<uuid>` of the GPU that `cuda` means in this process."""
    return kind if kind == "cpu" else f"cuda-{uuid(kind)}"


def uuid(kind: str) -> str | None:
    """Of the GPU that `cuda` means in this process; None for `cpu`."""
    if kind == "cpu":
        return None
    import torch

    return str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)


def drain(device: str) -> None:
    """Let a GPU finish what was queued on it; nothing to do on a CPU."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()


def runtime() -> Path:
    """Where the devices' folders lie: `$BENCH_RUNTIME`, else a folder of this user among temporary files."""
    given = os.environ.get("BENCH_RUNTIME")
    return Path(given) if given else Path(tempfile.gettempdir()) / f"lowbit-bench-{os.getuid()}"


def folder(device: str) -> Path:
    """The folder of a device, which may not exist yet."""
    return runtime() / device


def prepare(folder: Path) -> None:
    """Create a device's folder, closed to others.

    Raises:
        ResultsUnwritable: if that cannot be, or the runtime folder is someone else's.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.parent.lstat()
        folder.mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise ResultsUnwritable(f"cannot make {folder}: {error.strerror}; name another $BENCH_RUNTIME") from error
    if found.st_uid != os.getuid() or found.st_mode & stat.S_IWOTH:
        raise ResultsUnwritable(f"{folder.parent} belongs to others too; name another folder in $BENCH_RUNTIME")

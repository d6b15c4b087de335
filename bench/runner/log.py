"""What a running job says to people."""

from __future__ import annotations

import contextlib
import sys


def say(line: str) -> None:
    """Print a line to standard error; on a full disk, where a log cannot grow, it is left out."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)

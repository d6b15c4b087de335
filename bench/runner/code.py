"""The digest of the code that a cell runs: its adapter's imports within the project, and what all methods share."""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path

SHARED = ("bench.quant", "bench.models", "bench.method", "bench.schedule", "methods.")


@cache
def code_digest(adapter_module: str) -> str:
    """sha256 over the sources of the adapter and of the shared modules that are loaded.

    Called first when a group starts, so that sources edited while it runs do not count.
    """
    chosen = {name for name in sys.modules if name == adapter_module or name.startswith(SHARED)}
    total = hashlib.sha256()
    for name in sorted(chosen):
        file = getattr(sys.modules[name], "__file__", None)
        if file:
            total.update(f"{name}\0".encode() + Path(file).read_bytes())
    return total.hexdigest()

"""Energy from a GPU's own counter. Importing this imports no NVML."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench.measure import devices

SECONDS = 5.0
"""Of passes: the counter advances some ten times a second."""


class Meter:
    """Energy that a whole GPU took since this was made."""

    def __init__(self, uuid: str | None) -> None:
        """`uuid` of the GPU as `devices.uuid` gives it; None on a CPU, where there is no counter."""
        self._uuid = uuid
        self._begin = self._read()

    def joules(self) -> float | None:
        """Joules so far; None where the GPU has no counter, as before Volta, and on a CPU."""
        now = self._read()
        return None if now is None or self._begin is None else round(now - self._begin, 3)

    def _read(self) -> float | None:
        if self._uuid is None:
            return None
        from bench.measure import gpu

        return gpu.joules(self._uuid)


def consumption(run: Callable[[], object], device: str, batch: int) -> dict[str, Any]:
    """Energy of passes of `batch` images, one after the other for SECONDS; what the idle GPU takes is in it.

    Returns:
        joules_per_1000: images; None where there is no counter. joules, images, seconds: what it was computed from.
    """
    devices.drain(device)
    meter, began, images = Meter(devices.uuid(device)), time.perf_counter(), 0
    while (seconds := time.perf_counter() - began) < SECONDS:
        run()
        devices.drain(device)
        images += batch
    joules = meter.joules()
    share = None if joules is None else round(1000 * joules / images, 6)
    return {"joules_per_1000": share, "joules": joules, "images": images, "seconds": round(seconds, 3)}

"""Energy that a group took."""

from __future__ import annotations

from bench.measure.energy import Meter


class Energy:
    """Joules of the group's whole GPU while it was the group's: from `start` to `stop`, as often as these come."""

    def __init__(self, uuid: str | None) -> None:
        """`uuid` of the GPU; None on a CPU, whose energy is not known."""
        self._uuid = uuid
        self._before: float | None = 0.0
        self._meter: Meter | None = None

    def start(self) -> None:
        """The GPU is the group's from now on."""
        self.stop()
        self._meter = Meter(self._uuid)

    def stop(self) -> None:
        """It is somebody else's."""
        self._before, self._meter = self.joules(), None

    def joules(self) -> float | None:
        """So far; None where the GPU has no counter, or there is no GPU."""
        if self._meter is None or self._before is None:
            return self._before
        now = self._meter.joules()
        return None if now is None else self._before + now

    def load(self, joules: float | None) -> None:
        """Go on from what another process took."""
        self._before = joules

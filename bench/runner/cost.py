"""What a group of cells costs: time, energy and memory of its process."""

from __future__ import annotations

from typing import Any

from bench.measure import devices
from bench.runner.clock import Clock
from bench.runner.energy import Energy
from bench.runner.peaks import Peaks
from bench.runner.track import Track


class Cost:
    """The group's own clock (`draw` and `other`, for all its cells at once), its energy and its peak memory."""

    def __init__(self, device: str) -> None:
        self.clock = Clock("draw", "other")
        self.energy = Energy(devices.uuid(device))
        self.peaks = Peaks(device)

    def of(self, track: Track) -> dict[str, Any]:
        """What a cell's record says of it: the group's whole cost, and what was the cell's alone."""
        joules = self.energy.joules()
        return {
            "seconds": _rounded(self.clock.seconds | track.clock.seconds),
            "cpu_seconds": _rounded(self.clock.cpu_seconds | track.clock.cpu_seconds),
            "step_seconds": track.pace(),
            "steps": track.steps,
            "images": track.images,
            "energy_joules": None if joules is None else round(joules, 3),
            "peak_bytes": self.peaks.report(),
        }

    def state(self) -> dict[str, Any]:
        return {"clock": self.clock.state(), "joules": self.energy.joules(), "peaks": self.peaks.state()}

    def load(self, state: dict[str, Any], part: float) -> None:
        """Go on from what `state()` gave, of whose time and energy a part is this group's."""
        self.clock.load(state["clock"], part)
        self.energy.load(None if state["joules"] is None else state["joules"] * part)
        self.peaks.load(state["peaks"])


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in seconds.items()}

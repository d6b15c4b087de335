"""Peak memory of a process, phase by phase."""

from __future__ import annotations

from typing import Any

from bench.measure import memory
from bench.measure.environment import peak_resident_bytes

PHASES = ("train", "evaluate")
"""Phases whose peaks are recorded; those of others count for the whole process alone."""


class Peaks:
    """The highest peaks of each phase, however often it comes; `bench.measure.memory` says what is counted."""

    def __init__(self, device: str) -> None:
        """`device` is `cpu` or `cuda`. The phase until the first `enter` is `build`."""
        self.device, self.phase, self.resident = device, "build", 0
        self.found: dict[str, dict[str, Any]] = {}

    def enter(self, phase: str) -> None:
        """From now on what is used counts for `phase`."""
        self.resident = max(self.resident, peak_resident_bytes())  # which falls with the next line
        if self.phase in PHASES:
            now = memory.peaks(self.device)
            known = self.found.get(self.phase, now)
            self.found[self.phase] = {key: _higher(known[key], now[key]) for key in now}
        memory.reset(self.device)
        self.phase = phase

    def report(self) -> dict[str, Any]:
        """Peak bytes: resident set of the whole process, and by phase those that `bench.measure.memory` counts."""
        phases = [found["resident"] or 0 for found in self.found.values()]
        return {"rss": max(self.resident, peak_resident_bytes(), *phases), **self.found}

    def state(self) -> dict[str, Any]:
        self.enter(self.phase)
        return self.report()

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state()` gave, in another process."""
        self.resident = state["rss"]
        self.found = {phase: state[phase] for phase in PHASES if phase in state}


def _higher(one: int | str | None, other: int | str | None) -> int | str | None:
    """The higher of two counts, either of which may be missing or unknown."""
    counts = [count for count in (one, other) if isinstance(count, int)]
    return max(counts) if counts else other

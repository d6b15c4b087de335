"""Measurements by model, to be laid beside rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import RecordInvalid
from bench.measure.measurement import Measurement, read
from bench.report.omission import Unusable


@dataclass(frozen=True)
class Measured:
    """Intact measurements by the sha256 of their model."""

    of: Mapping[str, tuple[Measurement, ...]] = field(default_factory=dict)

    def cost(self, models: Iterable[str]) -> dict[str, float]:
        """What was counted of the first of these models of which something was, numbers by name; empty for none.

        Models of one row differ in their weights' values alone, on which no count depends.
        """
        counted = [found.values for model in models for found in self.of.get(model, ()) if found.kind == "cost"]
        return {name: value for name, value in counted[0].items() if type(value) is int} if counted else {}

    def timed(self, model: str) -> list[Measurement]:
        """Latencies of a model and times of its training steps, by kernel, batch and machine."""
        found = [m for m in self.of.get(model, ()) if m.kind in ("latency", "step")]
        return sorted(found, key=lambda m: (m.kernel, m.batch, m.platform, m.processor))

    def beside(self, latency: Measurement, kind: str) -> Measurement | None:
        """What was found of another kind in the same way: model, kernel, batch and machine."""
        alike = [m for m in self.of.get(latency.model, ()) if m.kind == kind and _way(m) == _way(latency)]
        return alike[0] if alike else None


def gather(results: Path) -> tuple[Measured, list[Unusable]]:
    """The measurements of a results folder, and those that cannot be used."""
    of: dict[str, list[Measurement]] = {}
    unusable = []
    for path in sorted((results / "measurements").glob("*.json")):
        try:
            found = read(path)
            of.setdefault(found.model, []).append(found)
        except RecordInvalid as error:
            unusable.append(Unusable.of(path, results, error))
    return Measured({model: tuple(measurements) for model, measurements in of.items()}), unusable


def _way(m: Measurement) -> tuple[str, int, str, str]:
    return m.kernel, m.batch, m.platform, m.processor

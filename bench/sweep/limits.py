"""How long a cell may take before it counts as hung."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.files import canonical_json
from bench.measure.environment import host_key
from bench.records import Record
from bench.runner.job import Job
from bench.spec import FULL, Cell

FEWEST = 3
"""Siblings that a median needs."""

Kind = tuple[str, str]


@dataclass
class Limits:
    """Limits of a sweep.

    Attributes:
        timeout: seconds that any cell may take, or None. factor: how many times the median of its siblings.
        least: seconds that a cell may always take. seen: seconds of finished cells by kind.
    """

    timeout: float | None = None
    factor: float = 5.0
    least: float = 300.0
    seen: dict[Kind, list[float]] = field(default_factory=lambda: defaultdict(list))

    def learn(self, found: Iterable[Record]) -> None:
        """Take in what finished cells of this machine took."""
        for record in found:
            if record.ok and record.run["environment"].get("host") == host_key():
                spent = record.run["seconds"]  # of the source in full, as if it had been this cell's alone
                self.seen[_kind(record.cell, record.platform)].append(sum(spent.values()))

    def of(self, job: Job) -> float | None:
        """Seconds that a job may run, or None where nothing is known: the sum of what each of its cells may."""
        known = self.seen.get(_kind(job.cells[0], job.platform), [])
        limits = [self.timeout] if self.timeout else []
        if len(known) >= FEWEST:
            limits.append(max(self.least, self.factor * statistics.median(known)))
        return len(job.cells) * min(limits) if limits else None


def _kind(cell: Cell, platform: str) -> Kind:
    """What siblings share: everything but bits and seed."""
    return canonical_json(cell.but(bits=FULL, seed=0).plain()), platform

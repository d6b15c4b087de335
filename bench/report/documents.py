"""Every document of a report: what kinds there are, and which of them a data set has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bench.report import accuracy, against, budget, cost, latency
from bench.report.contents import Report
from bench.report.document import Document

KINDS = {
    "accuracy": "accuracies with their statistics, and why not",
    "cost": "time, memory, energy, size and operations",
    "budget": "accuracy at equal images seen and at equal seconds",
    "latency": "latency by kernel and machine",
    "published": "published figures beside measured ones",
}
_BUILDERS = {
    "accuracy": accuracy.document,
    "cost": cost.document,
    "budget": budget.document,
    "latency": latency.document,
    "published": against.document,
}


def documents(report: Report, kinds: Iterable[str] = KINDS) -> Iterator[Document]:
    """The documents of these kinds, data set by data set, without those that have nothing to tell."""
    for dataset in report.datasets:
        part = report.only(dataset)
        for kind in kinds:
            found = _BUILDERS[kind](part, dataset)
            if found.grids or found.lists:
                yield found

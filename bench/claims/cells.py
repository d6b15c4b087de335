"""The cells that decide claims, as a suite that sweeps run like any other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.claims.file import Claims
from bench.stats import MINIMUM_SEEDS
from bench.suite import AXES, DEFAULTS, Point, Suite, Variant


@dataclass(frozen=True)
class ClaimedCells(Suite):
    """A suite whose points are listed, and not a product; axes still choose schedules, precisions and seeds."""

    listed: tuple[Point, ...] = ()

    def points(self) -> Iterator[Point]:
        for point in self.listed:
            for schedule, precision, seed in itertools.product(*(self.axes[name] for name in AXES[4:])):
                yield replace(point, schedule=schedule, precision=precision, seed=seed)


def suite(claims: Claims) -> ClaimedCells:
    """The suite of all arms at all spots of the claims, each cell once, at as many seeds as a verdict needs."""
    listed: list[Point] = []
    for claim in claims.claims:
        for spot, arm in itertools.product(claim.spots, claim.arms.values()):
            bits = arm.bits or spot.bits
            point = Point(spot.dataset, claim.model, arm.method, bits, "", "", 0, arm.options)
            if point not in listed:
                listed.append(point)
    axes = dict(DEFAULTS) | {"seed": list(range(MINIMUM_SEEDS))}
    axes |= {
        name: list(dict.fromkeys(getattr(point, name) for point in listed)) for name in ("dataset", "model", "bits")
    }
    axes["method"] = [Variant(name) for name in dict.fromkeys(point.method for point in listed)]
    return ClaimedCells(claims.name, axes, listed=tuple(listed))

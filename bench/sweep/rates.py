"""Step rates that were measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.records import Record
from bench.spec import Cell

Kind = tuple[str, str, str]
"""What a rate is of: network, method and precision."""


def kind_of(cell: Cell) -> Kind:
    return cell.model, cell.method, cell.precision


def rates(found: Iterable[Record], device: str) -> Mapping[Kind, float]:
    """Measured seconds a step of whole cells, the fastest seen on this kind of device."""
    best: dict[Kind, float] = {}
    for record in found:
        steps = record.result.get("steps")
        if record.ok and steps and record.platform.startswith("cpu") == (device == "cpu"):
            spent = record.run["seconds"]
            rate = (spent["draw"] / record.run["shared"] + spent["learn"] + spent["evaluate"]) / steps
            best[kind_of(record.cell)] = min(rate, best.get(kind_of(record.cell), rate))
    return best

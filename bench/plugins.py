"""What other packages offer through entry points: listed without importing them, imported when it is used."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from bench.errors import BenchError


def offers(group: str) -> dict[str, list[EntryPoint]]:
    """The entry points of a group by name; a place that two installations list counts once."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, {})[point.value] = point
    return {name: list(points.values()) for name, points in found.items()}


def origin(point: EntryPoint) -> str:
    """Place and package of an entry point, for messages."""
    return f"{point.value} of {point.dist.name if point.dist else 'an unnamed package'}"


def sole(kind: str, name: str, places: Iterable[str], invalid: type[BenchError]) -> None:
    """Make sure that a name of a kind is offered in one place alone.

    Raises:
        invalid: naming every place.
    """
    claims = sorted(places)
    if len(claims) > 1:
        raise invalid(f"{kind} '{name}' is offered by {' and '.join(claims)}; uninstall or rename one")


def load(kind: str, point: EntryPoint, invalid: type[BenchError]) -> Any:
    """What lies at an entry point.

    Raises:
        invalid: naming place and package, whatever the import of that package raises.
    """
    try:
        return point.load()
    except Exception as error:
        raise invalid(f"{origin(point)}, for {kind} '{point.name}', cannot be imported: {error}") from error

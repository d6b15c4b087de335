"""Options of an adapter under trial: all of them as plain values, and typed ones that note what is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from bench.method import Method, options_of


def watched(options: Any, read: set[str]) -> Any:
    """The same typed options, noting in `read` the name of each that is looked at."""
    if options is None:
        return None
    names = {each.name for each in fields(options)}

    class Watched(type(options)):  # type: ignore[misc]  # the adapter's own class of options
        def __getattribute__(self, name: str) -> Any:
            if name in names:
                read.add(name)
            return super().__getattribute__(name)

    same = Watched(**{name: getattr(options, name) for name in names})
    read.clear()  # what making it looked at does not count
    return same


def plain_options(method: Method, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of a method as plain values, defaults filled in.

    Raises:
        OptionInvalid: listing all mistakes in what was given.
    """
    try:
        typed = options_of(method.card, given)
    except TypeError:
        return {}  # their class cannot be made or is none: the check of options says so
    return {} if typed is None else asdict(typed)

"""Methods by name: modules of the `methods` package, and other packages' entry points. Loaded lazily."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bench.errors import MethodInvalid, UnknownName
from bench.names import unknown
from bench.plugins import offers, sole

if TYPE_CHECKING:
    from bench.method import Method

GROUP = "lowbit_bench.methods"
"""Entry-point group of methods in other packages; a value is `package.module:Adapter`."""


def names() -> list[str]:
    """Every method's name, without importing any adapter."""
    return sorted({*_own(), *offers(GROUP)})


@cache
def get(name: str) -> Method:
    """The method of a name.

    Raises:
        UnknownName: with the nearest names.
        MethodInvalid: if two places offer the name, or what is there is not a method of that name.
    """
    places = [f"methods.{name}:METHOD"] if name in _own() else []
    places += [point.value for point in offers(GROUP).get(name, [])]
    if not places:
        raise UnknownName(unknown("method", name, names()))
    sole("method", name, places, MethodInvalid)
    return _built(name, places[0])


def _built(name: str, place: str) -> Method:
    from bench.method import Method  # imports torch, which listing names has no need of

    module, _, attribute = place.partition(":")
    try:
        adapter = getattr(importlib.import_module(module), attribute)()
    except Exception as error:  # an adapter's module may raise anything
        raise MethodInvalid(f"method '{name}' ({place}) cannot be loaded: {error}") from error
    if not isinstance(adapter, Method) or getattr(adapter, "card", None) is None or adapter.card.name != name:
        raise MethodInvalid(f"{place} must be a bench.method.Method whose card is named '{name}'")
    return adapter


def _own() -> list[str]:
    spec = find_spec("methods")
    places = spec.submodule_search_locations if spec else None
    return [m.name for m in pkgutil.iter_modules(places) if not m.ispkg] if places else []

"""The code that a cell runs, file by file: its adapter's imports within the project, followed without running them."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path

SCOPE = ("methods", "bench.quant", "bench.models", "bench.method", "bench.schedule")
"""Packages and modules that imports are followed in, besides the adapter's own top-level package."""

ROOTS = ("bench.method", "bench.models.registry")
"""What the harness runs for every adapter: the contract's helpers, and the networks that it builds."""


def code_of(adapter_module: str) -> dict[str, str]:
    """Modules that an adapter's imports reach, each with the first 16 hex digits of its source's sha256.

    The first call in a process settles the answer: call it before anything runs, so that later edits do not count.
    """
    return dict(_closure(adapter_module))


@cache
def _closure(adapter_module: str) -> dict[str, str]:
    scope = (*SCOPE, adapter_module.partition(".")[0])
    found: dict[str, str] = {}
    waiting = [adapter_module, *ROOTS]
    while waiting:
        name = waiting.pop()
        file = _file(name) if name not in found and _within(name, scope) else None
        if file:
            source = file.read_bytes()
            found[name] = hashlib.sha256(source).hexdigest()[:16]
            waiting += _imports(source, name if file.name == "__init__.py" else name.rpartition(".")[0])
            waiting += _parents(name)
    return dict(sorted(found.items()))


def _within(name: str, scope: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in scope)


def _file(name: str) -> Path | None:
    """Where a module's source lies, or None for what is no module of Python source; imports nothing."""
    top, *below = name.split(".")
    try:
        spec = find_spec(top)
    except ValueError:  # of a module without a spec, such as __main__
        return None
    if spec is None:
        return None
    if not below and spec.origin and spec.origin.endswith(".py"):
        return Path(spec.origin)
    for folder in spec.submodule_search_locations or ():
        place = Path(folder, *below)
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if below and file.is_file():
                return file
    return None


def _imports(source: bytes, package: str) -> Iterator[str]:
    """Every name in a module of a package that an import may find a module under, also within functions."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # of another version of Python, and so never imported by this one
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _parents(name: str) -> list[str]:
    """The packages that importing a module imports first."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]

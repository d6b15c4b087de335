"""What differs between the surroundings of two runs of one cell: machine, software, and the code that ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.records import Record

ABSENT = "none"


def differences(then: Record, now: Record) -> list[str]:
    """A line for each thing that differs, `name: then -> now`."""
    return [*_environment(then, now), *_code(then.method.get("code"), now.method.get("code"))]


def _environment(then: Record, now: Record) -> Iterator[str]:
    old, new = ({**_facts(record), **_machine(record)} for record in (then, now))
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{name}: {old.get(name, ABSENT)} -> {new.get(name, ABSENT)}"


def _facts(record: Record) -> dict[str, Any]:
    """What a record says of itself that may change without its cell changing."""
    version, known = record.method.get("version"), {"cell id": record.id[:16], "platform": record.platform}
    return {**known, "method version": version, "resumed": record.run.get("resumed", 0)}


def _machine(record: Record) -> dict[str, Any]:
    environment = dict(record.run.get("environment", {}))
    packages = environment.pop("packages", {})
    return environment | {f"package {name}": version for name, version in packages.items()}


def _code(then: Any, now: Any) -> Iterator[str]:
    """Modules whose source differs; records of an early version hold one digest of all."""
    if not isinstance(then, Mapping) or not isinstance(now, Mapping):
        if then != now:
            yield "code: the record does not name the modules that it ran, so which of them changed is not known"
        return
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            yield f"code of {name}: {then.get(name, ABSENT)} -> {now.get(name, ABSENT)}"

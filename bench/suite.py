"""Suites: TOML files that declare cells as axes, with overrides."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import SuiteInvalid, UnknownName
from bench.names import unknown
from bench.schedule import check_name
from bench.spec import PRECISIONS, Bits

AXES = ("dataset", "model", "method", "bits", "schedule", "precision", "seed")
DEFAULTS: Mapping[str, list[Any]] = {"schedule": ["auto"], "precision": ["fp32"], "seed": [0], "model": ["resnet20"]}
AUTO = "auto"


@dataclass(frozen=True)
class Override:
    """Options for the points that match `where`, a mapping of axes to single values."""

    where: Mapping[str, Any]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """A method of a suite with options of its own: `{ name = "bag", options = { attention = "none" } }`."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """One combination of axis values, with the options that overrides give it."""

    dataset: str
    model: str
    method: str
    bits: Bits
    schedule: str
    precision: str
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """A named set of axes; its points are their product in the order of AXES. Values of `method` are variants."""

    name: str
    axes: Mapping[str, list[Any]]
    overrides: tuple[Override, ...] = ()

    def points(self) -> Iterator[Point]:
        for values in itertools.product(*(self.axes[axis] for axis in AXES)):
            point = dict(zip(AXES, values, strict=True))
            variant = point["method"]
            point["method"], options = variant.name, dict(variant.options)
            for override in self.overrides:
                if all(str(point[axis]) == str(value) for axis, value in override.where.items()):
                    options |= override.options
            yield Point(**point, options=options)


def read(path: Path) -> Suite:
    """Read a suite file.

    Raises:
        SuiteInvalid: listing every mistake with its key, or the line where the TOML breaks.
        ClaimsInvalid: likewise for a file of claims, which is the suite of the cells that these need.
    """
    try:
        plain = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        near = sorted(str(p) for p in path.parent.glob("*.toml")) or sorted(
            str(p) for p in Path("suites").glob("*.toml")
        )
        raise SuiteInvalid(f"there is no suite file {path}; {unknown('suite', str(path), near)}") from error
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SuiteInvalid(f"{path}: {error}") from error
    if "claim" in plain:
        from bench.claims.cells import suite
        from bench.claims.file import parse

        return suite(parse(path, plain))
    mistakes = [*_shape(plain), *_axes(plain.get("axes", {})), *_overrides(plain.get("override", []))]
    if mistakes:
        raise SuiteInvalid("\n".join([f"{path} has {len(mistakes)} mistake(s):", *(f"  {m}" for m in mistakes)]))
    axes = {axis: plain["axes"].get(axis, DEFAULTS.get(axis)) for axis in AXES}
    axes["bits"] = [Bits.parse(text) for text in axes["bits"]]
    axes["method"] = [Variant(m) if isinstance(m, str) else Variant(**m) for m in axes["method"]]
    overrides = tuple(Override(o["where"], o["options"]) for o in plain.get("override", []))
    return Suite(plain["name"], axes, overrides)


def _shape(plain: Mapping[str, Any]) -> Iterator[str]:
    for key in plain:
        if key not in ("name", "axes", "override"):
            yield f"{key}: {unknown('key', key, ('name', 'axes', 'override'))}"
    if not isinstance(plain.get("name"), str) or not plain.get("name"):
        yield 'name: must be given as text, e.g. name = "cifar10"'
    if not isinstance(plain.get("axes"), dict):
        yield "axes: a table [axes] must be given"


def _axes(axes: Any) -> Iterator[str]:
    if not isinstance(axes, dict):
        return
    for axis in ("dataset", "method", "bits"):
        if axis not in axes:
            yield f"axes.{axis}: must be given"
    for axis, values in axes.items():
        if axis not in AXES:
            yield f"axes.{axis}: {unknown('axis', axis, AXES)}"
        elif not isinstance(values, list) or not values:
            yield f"axes.{axis}: must be a list with at least one value, e.g. {axis} = [{values!r}]"
        else:
            yield from (f"axes.{axis}: {problem}" for value in values if (problem := _problem(axis, value)))


def _problem(axis: str, value: Any) -> str | None:
    """What is wrong with one value of an axis."""
    from bench import registry
    from bench.models import names as models

    if axis == "seed":
        return None if type(value) is int and value >= 0 else f"a seed must be a whole number from 0, not {value!r}"
    if axis == "bits":
        return _bits_problem(value)
    if axis == "dataset":  # a data set of one's own is known only by its files; `run` looks for them
        return None if isinstance(value, str) else f"must be text, not {value!r}"
    if axis == "method" and isinstance(value, dict):
        return _variant_problem(value)
    if axis == "schedule":
        return None if value == AUTO else _schedule_problem(value)
    known = {"method": registry.names, "model": models}.get(axis)
    choices = known() if known else PRECISIONS
    return None if value in choices else unknown(axis, str(value), choices)


def _variant_problem(value: Mapping[str, Any]) -> str | None:
    """What is wrong with a method that is given as a table."""
    if unexpected := [key for key in value if key not in ("name", "options")]:
        return f"{unknown('key', unexpected[0], ('name', 'options'))}; a method is a name, or {{ name, options }}"
    if not isinstance(value.get("options", {}), dict):
        return f"options must be a table, not {value['options']!r}"
    return _problem("method", value.get("name"))


def _schedule_problem(value: Any) -> str | None:
    try:
        check_name(str(value))
    except UnknownName as error:
        return str(error)
    return None


def _bits_problem(value: Any) -> str | None:
    try:
        Bits.parse(value)
    except ValueError as error:
        return str(error)
    return None


def _overrides(overrides: Any) -> Iterator[str]:
    if not isinstance(overrides, list):
        yield "override: write each as [[override]]"
        return
    for number, override in enumerate(overrides, start=1):
        for key in ("where", "options"):
            if not isinstance(override.get(key), dict):
                yield f"override {number}: {key} = {{...}} must be given"
        for axis in override.get("where", {}):
            if axis not in AXES:
                yield f"override {number}: {unknown('axis', axis, AXES)}"

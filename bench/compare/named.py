"""A method as a person names it: `akt`, `akt form=0`, or a pattern such as `ada*` or `akt *`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from bench.compare.runs import Run
from bench.errors import OptionInvalid


@dataclass(frozen=True)
class Named:
    """A method with options.

    Attributes:
        method: its name, or a pattern of names.
        options: those given; all others are the method's defaults.
        any_options: whether runs with whatever options are meant.
        version: pattern of its composed version, which tells apart runs from before and after a change.
        precision: pattern of that of training.
    """

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    any_options: bool = False
    version: str = "*"
    precision: str = "*"

    @classmethod
    def parse(cls, text: str) -> Named:
        """Read `METHOD [option=value ...] [version=PATTERN] [precision=PATTERN]`, or `METHOD *` for whatever options.

        Raises:
            OptionInvalid: for a word that is no option with a value.
        """
        method, *words = text.split() or [""]
        any_options, words = "*" in words, [word for word in words if word != "*"]
        options: dict[str, Any] = {}
        for word in words:
            name, sign, value = word.partition("=")
            if not (name and sign and value):
                raise OptionInvalid(f"'{word}' in '{text}' is no option; write METHOD name=value, e.g. 'akt form=0'")
            options[name] = _value(value)
        version, precision = (str(options.pop(name, "*")) for name in ("version", "precision"))
        return cls(method, options, any_options, version, precision)

    def __str__(self) -> str:
        words = [self.method, *(f"{name}={value}" for name, value in sorted(self.options.items()))]
        words += ["*"] if self.any_options else []
        patterns = ("version", self.version), ("precision", self.precision)
        return " ".join([*words, *(f"{name}={pattern}" for name, pattern in patterns if pattern != "*")])

    def covers(self, run: Run) -> bool:
        """Whether a run is of this method with these options."""
        cell, defaults = run.record.cell, run.record.method.get("defaults", {})
        patterns = (cell.method, self.method), (run.entry.version, self.version), (cell.precision, self.precision)
        named = all(fnmatchcase(*pattern) for pattern in patterns)
        if self.any_options:
            return named and all(cell.options.get(name) == value for name, value in self.options.items())
        return named and _changed(cell.options, defaults) == _changed(self.options, defaults)


def _changed(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in defaults or defaults[name] != value}


def _value(text: str) -> Any:
    """A number or truth value, written as in TOML or Python, else the text itself."""
    try:
        return tomllib.loads(f"value = {text.lower()}")["value"]
    except tomllib.TOMLDecodeError:
        return text

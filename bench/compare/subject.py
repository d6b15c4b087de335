"""The method that a regression check is about, as it is installed now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.compare.named import Named
from bench.files import digest
from bench.method import Method, defaults_of, options_of, version_of
from bench.registry import get, names
from bench.report.text import narrow
from bench.runner.code import code_of
from bench.suite import Variant


@dataclass(frozen=True)
class Subject:
    """An installed method with options.

    Attributes:
        method: its adapter. given: the options that a person gave. options: all of them.
    """

    method: Method
    given: Mapping[str, Any]
    options: Mapping[str, Any]

    @classmethod
    def of(cls, text: str) -> Subject:
        """Read `METHOD [option=value ...]`.

        Raises:
            UnknownName: with the nearest names. OptionInvalid: for options that it does not have.
        """
        named = Named.parse(text)
        method = get(named.method)
        typed = options_of(method.card, named.options)
        return cls(method, named.options, asdict(typed) if typed is not None else {})

    @property
    def name(self) -> str:
        """The method with the options that are not its defaults, as a person types it."""
        defaults = defaults_of(self.method.card)
        changed = [f"{name}={value}" for name, value in sorted(self.options.items()) if defaults[name] != value]
        return narrow(" ".join([self.method.card.name, *changed]))

    @property
    def version(self) -> str:
        """Its composed version."""
        return version_of(self.method, self.options)

    @property
    def variant(self) -> Variant:
        """It as a suite's value."""
        return Variant(self.method.card.name, self.given)

    @property
    def code(self) -> str:
        """Digest of the code that its cells run now."""
        return digest(code_of(type(self.method).__module__))

    @property
    def base(self) -> str | None:
        """The method that it builds on, which its composed version names first after its own; None where none is."""
        parts = (part.rpartition("-")[0] for part in self.version.split("+"))
        return next((name for name in parts if name != self.method.card.name and name in names()), None)

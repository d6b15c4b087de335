"""What one experiment is, as plain frozen data, and its identity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bench import RULES
from bench.files import digest

PRECISIONS = ("fp32", "bf16")
ASYMMETRIC = "asymmetric per-channel / per-tensor"
"""Quantizer class of the GDFQ family: granularity and symmetry of weights / activations."""
FULL_BITS = 32


@dataclass(frozen=True, order=True)
class Bits:
    """Bit-widths of weights and activations; 32 means not quantized."""

    w: int
    a: int

    def __str__(self) -> str:
        return f"W{self.w}A{self.a}"

    @property
    def full(self) -> bool:
        return self.w == self.a == FULL_BITS

    @classmethod
    def parse(cls, text: str) -> Bits:
        """Read `W4A4`, `w4a4` or `4`.

        Raises:
            ValueError: for anything else, or widths outside 2..8.
        """
        match = re.fullmatch(r"(?:[wW](\d+)[aA](\d+)|(\d+))", str(text).strip())
        if not match:
            raise ValueError(f"bits '{text}' are not of the form W4A4 or 4")
        w, a, both = match.groups()
        bits = cls(int(w or both), int(a or both))
        if not bits.full and not (2 <= bits.w <= 8 and 2 <= bits.a <= 8):
            raise ValueError(f"bits '{text}' are outside W2A2..W8A8")
        return bits


FULL = Bits(FULL_BITS, FULL_BITS)


@dataclass(frozen=True)
class Cell:
    """One experiment.

    Attributes:
        dataset, model, method: registered names.
        options: every option of the method, defaults included.
        bits: weight and activation bit-widths.
        schedule: `paper`, `quick` or `smoke`.
        precision: arithmetic of training, `fp32` or `bf16`; evaluation is always fp32.
        seed: of every random stream of the cell.
        init, tutor: sha256 of the model the student starts from and of the one it learns from; empty for none.
    """

    dataset: str
    model: str
    method: str
    bits: Bits
    schedule: str
    seed: int = 0
    precision: str = "fp32"
    options: Mapping[str, Any] = field(default_factory=dict)
    init: str = ""
    tutor: str = ""

    @property
    def label(self) -> str:
        """Short name for people, e.g. `gdfq-resnet20-w4a4-quick-s0`."""
        bits = "" if self.bits.full else f"-{str(self.bits).lower()}"
        return f"{self.method}-{self.model}{bits}-{self.schedule}-s{self.seed}"

    def changed(self, defaults: Mapping[str, Any]) -> list[str]:
        """Options that differ from a method's defaults, each as `name=value`, by name."""
        return [f"{k}={v}" for k, v in sorted(self.options.items()) if k not in defaults or defaults[k] != v]

    def plain(self) -> dict[str, Any]:
        """The cell as plain JSON values."""
        return {**vars(self), "bits": dict(vars(self.bits))}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Cell:
        """The cell that `plain()` came from."""
        return cls(**{**plain, "bits": Bits(**plain["bits"])})

    def but(self, **changes: Any) -> Cell:
        """A copy with some fields changed."""
        return replace(self, **changes)


def identity(cell: Cell, version: str, fingerprint: str) -> str:
    """The cell's id, from plain values alone and before anything runs.

    Args:
        version: the method's composed version. fingerprint: the data set's.
    """
    return digest({"cell": cell.plain(), "version": version, "data": fingerprint, "rules": RULES})


def group_key(cell: Cell) -> str:
    """Cells with equal keys differ only in bits, and may share one source."""
    return digest(cell.but(bits=FULL).plain())

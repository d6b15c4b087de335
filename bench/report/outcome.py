"""What one finished cell contributes to a row: its numbers, checked before they are used."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench import RULES
from bench.errors import RecordInvalid
from bench.records import Record
from bench.spec import identity

_NAMES = ("dataset", "model", "method", "schedule", "precision")
_COSTS = ("draw", "learn", "evaluate", "other")


@dataclass(frozen=True)
class Outcome:
    """The numbers of one trained student.

    Attributes:
        seed: of the cell.
        last, best: top-1 after the last epoch and after the best one, shares in [0, 1].
        untrained: top-1 of the quantized model before the first update, init: of the full-precision model.
        top5, init_top5: the same as `last` and `init`, counted among five guesses.
        seconds: spent on drawing, learning, evaluating and the rest; None where not recorded.
    """

    seed: int
    last: float
    best: float
    untrained: float | None
    init: float | None
    top5: float | None
    init_top5: float | None
    seconds: float | None

    @property
    def gap(self) -> float | None:
        """`last` - `init`, a share."""
        return None if self.init is None else self.last - self.init

    @classmethod
    def of(cls, record: Record) -> Outcome:
        """The numbers of a record.

        Raises:
            RecordInvalid: if one is missing or no share.
        """
        top1, top5 = _part(record.result, "top1"), _part(record.result, "top5")
        last, best = _share(top1, "last"), _share(top1, "best")
        if last is None or best is None:
            raise RecordInvalid("status is ok, but top1 has no last or no best")
        return cls(
            seed=record.cell.seed,
            last=last,
            best=best,
            untrained=_share(top1, "untrained"),
            init=_share(top1, "init"),
            top5=_share(top5, "last"),
            init_top5=_share(top5, "init"),
            seconds=_seconds(_part(record.run, "seconds")),
        )


def require_shape(record: Record) -> None:
    """Check that the parts of a record that every table looks at are of the kind they should be.

    Raises:
        RecordInvalid: naming the part.
    """
    for name in _NAMES:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", str(record.spec[name])):
            raise RecordInvalid(f"spec.{name} {record.spec[name]!r} is not a name")
    objects = {part: getattr(record, part) for part in ("method", "data", "result", "run")}
    for name, part in {**objects, "spec.options": record.spec["options"]}.items():
        if not isinstance(part, dict):
            raise RecordInvalid(f"{name} is not an object")
    if not isinstance(record.platform, str):
        raise RecordInvalid("platform is not text")
    if not all(type(number) is int for number in (record.cell.seed, record.cell.bits.w, record.cell.bits.a)):
        raise RecordInvalid("seed or bits are not whole numbers")


def require_comparable(record: Record) -> None:
    """Check that a record says what data it is about, and that its id follows from what it says under today's rules.

    Raises:
        RecordInvalid: if not; it cannot stand beside the others.
    """
    images, fingerprint = record.data.get("images"), record.data.get("fingerprint")
    if type(images) is not int or images < 1 or not isinstance(fingerprint, str):
        raise RecordInvalid("data has no fingerprint or no number of images")
    if record.id != identity(record.cell, record.method.get("version", ""), fingerprint):
        reason = "made under other rules, or changed after it was written"
        raise RecordInvalid(f"its id does not follow from spec, version and data under rules {RULES}: {reason}")


def _share(accuracies: Mapping[str, Any], name: str) -> float | None:
    value = accuracies.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise RecordInvalid(f"{name} is {value!r}, not a share in [0, 1]")
    return float(value)


def _seconds(spent: Mapping[str, Any]) -> float | None:
    costs = [spent[name] for name in _COSTS if name in spent]
    if not all(type(cost) in (int, float) for cost in costs):
        raise RecordInvalid("run.seconds are not numbers")
    return math.fsum(costs) if costs else None


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name, {})
    if not isinstance(part, dict):
        raise RecordInvalid(f"{name} is not an object")
    return part

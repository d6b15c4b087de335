"""What one finished cell contributes to a row: its numbers, checked before they are used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench import RULES
from bench.errors import RecordInvalid
from bench.records import Record
from bench.report.spent import Spent
from bench.spec import identity

_NAMES = ("dataset", "model", "method", "schedule", "precision")


@dataclass(frozen=True)
class Outcome:
    """The numbers of one trained student.

    Attributes:
        seed: of the cell.
        last, best: top-1 after the last epoch and after the best one, shares in [0, 1].
        untrained: top-1 of the quantized model before the first update, init: of the full-precision model.
        top5, init_top5: the same as `last` and `init`, counted among five guesses.
        id: of the cell. weights: sha256 of the student; empty where not recorded.
        curve: top-1 after each epoch, shares; empty where not recorded. spent: what it took to obtain the student.
    """

    seed: int
    last: float
    best: float
    untrained: float | None
    init: float | None
    top5: float | None
    init_top5: float | None
    id: str = ""
    weights: str = ""
    curve: tuple[float, ...] = ()
    spent: Spent = Spent()

    @property
    def seconds(self) -> float | None:
        """Spent on drawing, learning, evaluating and the rest."""
        return self.spent.seconds

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
            id=record.id,
            weights=str(record.result.get("weights", "")),
            curve=_curve(record.result.get("epochs", [])),
            spent=Spent.of(record),
        )


def require_shape(record: Record) -> None:
    """Check that the parts of a record that every table looks at are of the kind they should be.

    Raises:
        RecordInvalid: naming the part.
    """
    spec = record.spec
    texts = {"id": record.id, "platform": record.platform, "provenance": record.provenance}
    for name, text in {**texts, "spec.init": record.cell.init, "spec.tutor": record.cell.tutor}.items():
        if not isinstance(text, str):
            raise RecordInvalid(f"{name} is not text")
    for name in _NAMES:
        if not isinstance(spec[name], str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", spec[name]):
            raise RecordInvalid(f"spec.{name} {spec[name]!r} is not a name")
    objects = {part: getattr(record, part) for part in ("method", "data", "result", "run")}
    for name, part in {**objects, "spec.options": spec["options"]}.items():
        if not isinstance(part, dict):
            raise RecordInvalid(f"{name} is not an object")
    if not isinstance(record.method.get("defaults", {}), dict):
        raise RecordInvalid("method.defaults is not an object")
    if not all(type(number) is int for number in (record.cell.seed, record.cell.bits.w, record.cell.bits.a)):
        raise RecordInvalid("seed or bits are not whole numbers")


def require_data(record: Record, counted: bool = True) -> None:
    """Check that a record says what data it is about.

    Args:
        counted: whether the number of test images must be known.

    Raises:
        RecordInvalid: if not.
    """
    images, fingerprint = record.data.get("images"), record.data.get("fingerprint")
    known = type(images) is int and images > 0
    if not isinstance(fingerprint, str) or not (known or (images is None and not counted)):
        raise RecordInvalid("data has no fingerprint or no number of images")


def require_comparable(record: Record) -> None:
    """Check that a record says what data it is about, and that its id follows from what it says under today's rules.

    Raises:
        RecordInvalid: if not; it cannot stand beside the others.
    """
    require_data(record)
    if record.id != identity(record.cell, record.method.get("version", ""), record.data["fingerprint"]):
        reason = "made under other rules, or changed after it was written"
        raise RecordInvalid(f"its id does not follow from spec, version and data under rules {RULES}: {reason}")


def _share(accuracies: Mapping[str, Any], name: str) -> float | None:
    value = accuracies.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise RecordInvalid(f"{name} is {value!r}, not a share in [0, 1]")
    return float(value)


def _curve(epochs: Any) -> tuple[float, ...]:
    if not isinstance(epochs, list) or not all(isinstance(epoch, dict) for epoch in epochs):
        raise RecordInvalid("result.epochs is not a list of objects")
    shares = [share for epoch in epochs if (share := _share(epoch, "top1")) is not None]
    return tuple(shares) if len(shares) == len(epochs) else ()


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name, {})
    if not isinstance(part, dict):
        raise RecordInvalid(f"{name} is not an object")
    return part

"""The card of a full-precision model: what it is, which weights, and how they came about."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any

from bench.errors import ModelCorrupt

SCHEMA = 1
PROVENANCES = ("measured", "file")

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class TeacherCard:
    """What is known of a full-precision model.

    Attributes:
        dataset, model: names. classes: length of the logits.
        sha256: fingerprint of the weights (bench.models.weights), whatever file they are in.
        mean, std: input normalisation it was trained under, of pixels in [0, 1].
        provenance: `measured` for a model trained here, `file` for one brought by a user.
        top1: test accuracy in [0, 1] after the last epoch, as measured; None where unknown.
        seed, epochs, recipe: of its training; None and empty where unknown.
        data_fingerprint: of the data set it was trained on. record: id of its training's record. None where unknown.
    """

    dataset: str
    model: str
    classes: int
    sha256: str
    mean: Channels
    std: Channels
    provenance: str
    top1: float | None = None
    seed: int | None = None
    epochs: int | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data_fingerprint: str | None = None
    record: str | None = None
    schema: int = SCHEMA

    def plain(self) -> dict[str, Any]:
        """The card as plain JSON values."""
        return asdict(self)


def read(path: Path) -> TeacherCard:
    """Read a card.

    Raises:
        ModelCorrupt: listing everything that is wrong with it.
    """
    plain = read_plain(path)
    if plain.get("schema") != SCHEMA:
        raise ModelCorrupt(f"{path}: schema {plain.get('schema')!r}, this version reads schema {SCHEMA}")
    problems = [*_key_problems(plain), *channel_problems(plain), *_value_problems(plain)]
    if problems:
        raise ModelCorrupt(f"{path} is no card of a full-precision model: {'; '.join(problems)}")
    return TeacherCard(**{**plain, "mean": channels(plain["mean"]), "std": channels(plain["std"])})


def read_plain(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        ModelCorrupt: if there is none.
    """
    try:
        plain = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ModelCorrupt(f"{path} is not readable as JSON ({error})") from error
    if not isinstance(plain, dict):
        raise ModelCorrupt(f"{path} holds a {type(plain).__name__} instead of a JSON object")
    return plain


def channels(values: list[float]) -> Channels:
    """Three numbers from JSON as floats."""
    red, green, blue = map(float, values)
    return red, green, blue


def channel_problems(plain: Mapping[str, Any]) -> list[str]:
    """What is wrong with `mean` and `std`: each must be three numbers, std positive."""
    found = [f"{k} must be 3 numbers, not {plain.get(k)!r}" for k in ("mean", "std") if not _numbers(plain.get(k))]
    if not found and min(plain["std"]) <= 0:
        found.append(f"std must be positive, not {plain['std']!r}")
    return found


def _numbers(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3:
        return False
    return all(type(v) in (int, float) and isfinite(v) for v in value)


def _key_problems(plain: Mapping[str, Any]) -> list[str]:
    known = {f.name for f in fields(TeacherCard)}
    missing, unknown = sorted(known - plain.keys()), sorted(plain.keys() - known)
    return [f"no {key}" for key in missing] + [f"unknown {key}" for key in unknown]


def _value_problems(plain: Mapping[str, Any]) -> list[str]:
    found, top1 = [], plain.get("top1")
    if type(plain.get("classes")) is not int:
        found.append(f"classes must be a whole number, not {plain.get('classes')!r}")
    if not re.fullmatch("[0-9a-f]{64}", str(plain.get("sha256"))):
        found.append(f"sha256 must be 64 hex digits, not {plain.get('sha256')!r}")
    if plain.get("provenance") not in PROVENANCES:
        found.append(f"provenance must be one of {', '.join(PROVENANCES)}, not {plain.get('provenance')!r}")
    if top1 is not None and not (type(top1) in (int, float) and 0 <= top1 <= 1):
        found.append(f"top1 must be in [0, 1] or null, not {top1!r}")
    return found

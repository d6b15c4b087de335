"""Claims files: TOML that states what papers claim, as comparisons of arms at data sets and bit-widths."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bench.errors import BenchError, UnknownName
from bench.names import unknown
from bench.spec import Bits


class ClaimsInvalid(BenchError):
    """A claims file with mistakes; the message lists all of them."""


@dataclass(frozen=True)
class Arm:
    """One side of a comparison: a method with the options that are not its defaults.

    Attributes:
        bits: where they are not those of the spot, as for a control in full precision.
    """

    name: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    bits: Bits | None = None


@dataclass(frozen=True)
class Spot:
    """Where a claim is made. `published` are top-1 in percent, without and with what is claimed to help."""

    dataset: str
    bits: Bits
    published: tuple[float, float] | None = None

    @property
    def gain(self) -> float | None:
        """The published gain in points, to the two decimals that tables print."""
        return None if self.published is None else round(self.published[1] - self.published[0], 2)


@dataclass(frozen=True)
class Comparison:
    """Arm `of` minus arm `over`.

    Attributes:
        expect: `gain`, the published one; `more` or `less`, a direction alone; `within`, no more than `margin` below.
        margin: points, for `within`.
        measure: `accuracy`, top-1 in points; `gradient`, the norm over all layers in doublings.
    """

    of: str
    over: str
    expect: str
    margin: float = 0.0
    measure: str = "accuracy"


@dataclass(frozen=True)
class Claim:
    """What a paper says, where, and the comparisons that test it.

    Attributes:
        name: to call it by. paper: source, with the table or section. says: the claim in a sentence.
        unlike: how what is compared here differs from the paper, whatever the schedule.
        model: of every arm. full: top-1 of the paper's full-precision models in percent, by data set.
    """

    name: str
    paper: str
    says: str
    unlike: tuple[str, ...]
    model: str
    full: Mapping[str, float]
    arms: Mapping[str, Arm]
    spots: tuple[Spot, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class OutOfScope:
    """A claim that nothing here can test, and why."""

    paper: str
    says: str
    why: str


@dataclass(frozen=True)
class Claims:
    """A claims file."""

    name: str
    claims: tuple[Claim, ...]
    out_of_scope: tuple[OutOfScope, ...] = ()


def read(path: Path) -> Claims:
    """Read a claims file.

    Raises:
        ClaimsInvalid: listing every mistake with its place, or the line where the TOML breaks.
    """
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ClaimsInvalid(f"there is no claims file {path}; the project's own is suites/claims.toml") from error
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ClaimsInvalid(f"{path}: {error}") from error
    return parse(path, plain)


def parse(path: Path, plain: Mapping[str, Any]) -> Claims:
    """The claims of a file whose TOML is read already.

    Raises:
        ClaimsInvalid: listing every mistake with its place.
    """
    from bench.claims.mistakes import mistakes

    if found := mistakes(plain):
        raise ClaimsInvalid("\n".join([f"{path} has {len(found)} mistake(s):", *(f"  {line}" for line in found)]))
    others = tuple(OutOfScope(**other) for other in plain.get("out_of_scope", []))
    return Claims(plain["name"], tuple(_claim(claim) for claim in plain["claim"]), others)


def chosen(claims: Claims, globs: Sequence[str]) -> Claims:
    """The claims whose names match one of the globs, or all of them for none.

    Raises:
        UnknownName: for a glob that matches none.
    """
    names = [claim.name for claim in claims.claims]
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            raise UnknownName(unknown("claim", glob, names))
    if not globs:
        return claims
    kept = [claim for claim in claims.claims if any(fnmatchcase(claim.name, glob) for glob in globs)]
    return Claims(claims.name, tuple(kept))


def _claim(plain: Mapping[str, Any]) -> Claim:
    return Claim(
        name=plain["name"],
        paper=plain["paper"],
        says=plain["says"],
        unlike=tuple(plain.get("unlike", ())),
        model=plain.get("model", "resnet20"),
        full=plain.get("full", {}),
        arms={name: _arm(name, arm) for name, arm in plain["arms"].items()},
        spots=tuple(_spot(spot) for spot in plain["at"]),
        comparisons=tuple(Comparison(**comparison) for comparison in plain["compare"]),
    )


def _arm(name: str, plain: Mapping[str, Any]) -> Arm:
    bits = Bits.parse(plain["bits"]) if "bits" in plain else None
    return Arm(name, plain["method"], plain.get("options", {}), bits)


def _spot(plain: Mapping[str, Any]) -> Spot:
    published = (float(plain["published"][0]), float(plain["published"][1])) if "published" in plain else None
    return Spot(plain["dataset"], Bits.parse(plain["bits"]), published)

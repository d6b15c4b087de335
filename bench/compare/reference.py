"""References: frozen lists of raw runs with a margin that was declared beforehand, one sealed JSON file each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.compare.errors import ReferenceInvalid
from bench.files import canonical_json, digest, pretty_json, write_text
from bench.records import seal
from bench.report.leagues import Board
from bench.spec import Bits

SCHEMA = 1


@dataclass(frozen=True)
class FrozenRun:
    """One raw run: what a record said when it was frozen.

    Attributes:
        record: cell id. last: top-1 after the last epoch, a share. correct: sha256 of the correctness bits as the
            record has them. digest: of the whole result.
        seconds, peak_bytes: as recorded; information only, never compared.
    """

    seed: int
    record: str
    platform: str
    last: float
    correct: str
    digest: str
    seconds: Mapping[str, float]
    peak_bytes: Mapping[str, Any]


@dataclass(frozen=True)
class Width:
    """What is frozen at one bit-width: the margin, a share, and the runs by seed."""

    margin: float
    runs: tuple[FrozenRun, ...]

    @property
    def lasts(self) -> list[float]:
        return [run.last for run in self.runs]


@dataclass(frozen=True)
class Replaced:
    """The trace of a reference that was there before: its digest, when it was replaced, and why."""

    digest: str
    date: str
    because: str


@dataclass(frozen=True)
class Reference:
    """A frozen reference.

    Attributes:
        name: the method with the options that are not its defaults. options: all of them. version: composed.
        rules: version of the harness's rules. board, access, quantizer: the league, but for bits. tutor: sha256.
        date: UTC. commit: of the repository around the results, empty where unknown.
        widths: by bits. history: those that it replaced, oldest first.
    """

    name: str
    method: str
    options: Mapping[str, Any]
    version: str
    rules: str
    board: Board
    access: str
    quantizer: str
    tutor: str
    date: str
    commit: str
    widths: Mapping[str, Width]
    history: tuple[Replaced, ...] = ()
    schema: int = SCHEMA

    @property
    def bits(self) -> list[Bits]:
        """Bit-widths that are frozen, low ones first."""
        return sorted(map(Bits.parse, self.widths))

    @property
    def plain(self) -> dict[str, Any]:
        """The reference as plain sealed JSON values."""
        return seal(json.loads(canonical_json(asdict(self))))

    @property
    def digest(self) -> str:
        """sha256 of all it says."""
        return str(self.plain["digest"])

    @property
    def content(self) -> dict[str, Any]:
        """What it says but for when it was frozen, at which commit, and what it replaced."""
        return {k: v for k, v in self.plain.items() if k not in ("date", "commit", "history", "digest")}

    def path(self, results: Path) -> Path:
        """Where it lies: one file for a method with its options and a league, whatever the bits."""
        board = self.board
        words = (*self.name.split(), board.dataset, board.model, board.schedule, board.precision, board.init[:8])
        readable = re.sub(r"[^A-Za-z0-9.=-]+", "-", "-".join(words))[:180]
        other = digest([asdict(board), self.name, self.tutor, self.access, self.quantizer])[:8]
        return folder(results) / f"{readable}-{other}.json"


def folder(results: Path) -> Path:
    """Where references lie."""
    return results / "references"


def write(results: Path, reference: Reference) -> Path:
    """Write a reference whole or not at all, sealed; returns its path."""
    path = reference.path(results)
    write_text(path, pretty_json(reference.plain))
    return path


def read(path: Path) -> Reference:
    """Read a reference.

    Raises:
        ReferenceInvalid: with path and reason, if it is missing, corrupt, of another schema, or edited by hand.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReferenceInvalid(f"{path}: not readable as JSON ({error}); restore it from git") from error
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        found = plain.get("schema") if isinstance(plain, dict) else None
        raise ReferenceInvalid(f"{path}: schema {found!r}, this version reads schema {SCHEMA}")
    if seal(plain)["digest"] != plain.pop("digest", None):
        change = "restore it from git, and change it with `reference freeze METHOD --because REASON`"
        raise ReferenceInvalid(f"{path}: it does not match its digest, so it was edited by hand; {change}")
    try:
        return _of(plain)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ReferenceInvalid(f"{path}: not a reference of this project ({error})") from error


def stored(results: Path) -> dict[Path, Reference]:
    """Every reference of a results folder by path.

    Raises:
        ReferenceInvalid: if one of them cannot be read: nobody knows what it would have said.
    """
    return {path: read(path) for path in sorted(folder(results).glob("*.json")) if not path.name.startswith(".")}


def _of(plain: dict[str, Any]) -> Reference:
    widths = {
        bits: Width(width["margin"], tuple(FrozenRun(**run) for run in width["runs"]))
        for bits, width in plain["widths"].items()
    }
    history = tuple(Replaced(**entry) for entry in plain["history"])
    return Reference(**{**plain, "board": Board(**plain["board"]), "widths": widths, "history": history})

"""What the records hold for the arms of claims: measured runs by setting and seed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.claims.file import Arm, Claim, Spot
from bench.errors import RecordInvalid
from bench.records import Record, scan
from bench.report.outcome import Outcome, require_comparable, require_shape
from bench.schedule import EPOCHS
from bench.schedule import NAMES as SCHEDULES
from bench.spec import PRECISIONS, Bits

Kind = tuple[str, str, str, Bits]
WATCHED = "gradient/"


@dataclass(frozen=True)
class Setting:
    """What both sides of a comparison share besides data set and network.

    Attributes:
        init: sha256 of the full-precision model. fingerprint: of the data set.
    """

    schedule: str
    precision: str
    platform: str
    init: str
    fingerprint: str

    @property
    def order(self) -> tuple[Any, ...]:
        """Where it stands: the published schedule first, then those of a given length, the longest first."""
        match = EPOCHS.fullmatch(self.schedule)
        length = (1, -int(match[1])) if match else (2 * _index(SCHEDULES, self.schedule), 0)
        return *length, _index(PRECISIONS, self.precision), self.platform, self.init, self.fingerprint


@dataclass(frozen=True)
class Run:
    """One finished cell.

    Attributes:
        seed: of the cell. last, best, init: top-1 shares after the last and the best epoch, and in full precision.
        gradient: the largest over epochs of the norm over all layers of their mean gradients; None if not recorded.
    """

    seed: int
    last: float
    best: float
    init: float | None
    gradient: float | None


@dataclass(frozen=True)
class _Kept:
    """What is kept of a record: its run, and what tells whether it is of an arm. `made` is (version, tutor)."""

    setting: Setting
    options: Mapping[str, Any]
    defaults: Mapping[str, Any]
    made: tuple[str, str]
    ended: str
    run: Run


class Evidence:
    """The measured runs of a results folder.

    Attributes:
        unusable: records that were left out, and why.
    """

    def __init__(self, results: Path) -> None:
        self.unusable: list[str] = []
        self._kept: defaultdict[Kind, list[_Kept]] = defaultdict(list)
        for found in scan(results):
            try:
                self._take(found)
            except RecordInvalid as error:
                self.unusable.append(str(error).replace(f"{results.as_posix()}/", ""))

    def _take(self, found: Record | RecordInvalid) -> None:
        if isinstance(found, RecordInvalid):
            raise found
        if found.provenance == "measured" and found.ok:
            cell = found.cell
            self._kept[cell.dataset, cell.model, cell.method, cell.bits].append(_kept(found))

    def runs(self, claim: Claim, spot: Spot, arm: Arm) -> Mapping[Setting, Sequence[Run]]:
        """The runs of an arm at a spot, one a seed in order, by setting."""
        kind = spot.dataset, claim.model, arm.method, arm.bits or spot.bits
        settings: defaultdict[Setting, list[_Kept]] = defaultdict(list)
        for kept in self._kept.get(kind, []):
            if kept.options == {**kept.defaults, **arm.options}:
                settings[kept.setting].append(kept)
        return {setting: _newest(found) for setting, found in settings.items()}


def _kept(record: Record) -> _Kept:
    require_shape(record)
    require_comparable(record)
    cell, outcome = record.cell, Outcome.of(record)
    try:
        run = Run(outcome.seed, outcome.last, outcome.best, outcome.init, _gradient(record.result))
    except (AttributeError, TypeError) as error:
        raise RecordInvalid(f"record {record.id[:16]}: its epochs are not as they should be ({error})") from error
    setting = Setting(cell.schedule, cell.precision, record.platform, cell.init, record.data["fingerprint"])
    made = str(record.method.get("version")), cell.tutor
    defaults = record.method.get("defaults", {})
    return _Kept(setting, cell.options, defaults, made, str(record.run.get("ended", "")), run)


def _newest(found: Iterable[_Kept]) -> list[Run]:
    """Where records differ in method version or tutor, the runs of the version and tutor that ran last, by seed."""
    by_making: defaultdict[tuple[str, str], list[_Kept]] = defaultdict(list)
    for kept in found:
        by_making[kept.made].append(kept)
    newest = max(sorted(by_making), key=lambda made: max(kept.ended for kept in by_making[made]))
    return sorted((kept.run for kept in by_making[newest]), key=lambda run: run.seed)


def _gradient(result: Mapping[str, Any]) -> float | None:
    norms = []
    for epoch in result.get("epochs", []):
        layers = [value for name, value in epoch.get("watched", {}).items() if name.startswith(WATCHED)]
        if layers:
            norms.append(math.hypot(*layers))
    return max(norms, default=None)


def _index(known: Sequence[str], name: str) -> int:
    return known.index(name) if name in known else len(known)

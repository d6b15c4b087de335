"""Looks: how often the runs of a method were judged against a baseline, kept so that nobody looks once too often.

Each look at growing data is another chance of a false alarm; the error rate is split over two, and a third is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.compare.errors import LooksInvalid
from bench.compare.trial import Trial
from bench.files import digest, pretty_json, write_text
from bench.records import seal
from bench.stats.margin import MOST_LOOKS

if TYPE_CHECKING:
    from bench.compare.subject import Subject


@dataclass(frozen=True)
class Look:
    """One look: digest of the results it saw, how many seeds each side had, the verdict, and when (UTC)."""

    data: str
    reference: int
    new: int
    verdict: str
    date: str


@dataclass(frozen=True)
class Looks:
    """All looks at one trial, oldest first.

    Attributes:
        path: of the file that keeps them. about: what they are of; part of the file.
    """

    path: Path
    about: Mapping[str, str]
    taken: tuple[Look, ...] = ()

    def number(self, trial: Trial) -> int:
        """Which look this would be, from 1; the same results are the same look."""
        seen = [look.data for look in self.taken]
        return seen.index(trial.data) + 1 if trial.data in seen else len(seen) + 1

    def settled(self, trial: Trial) -> Look | None:
        """The earlier look that forbids this one: it gave a verdict, or was the last one allowed."""
        if self.number(trial) <= len(self.taken):
            return None
        last = self.taken[-1] if self.taken else None
        return last if last and (last.verdict != "cannot tell" or len(self.taken) >= MOST_LOOKS) else None

    def keep(self, trial: Trial, verdict: str) -> None:
        """Write down that this look was taken; one at the same results is there already."""
        if self.number(trial) <= len(self.taken):
            return
        date = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        look = Look(trial.data, len(trial.reference.found), len(trial.new.found), verdict, date)
        looks = [asdict(one) for one in (*self.taken, look)]
        write_text(self.path, pretty_json(seal({"about": dict(self.about), "looks": looks})))


def looks_at(trial: Trial, subject: Subject, results: Path) -> Looks:
    """The looks that were taken at a trial: of this version and code of the method, against this baseline.

    Raises:
        LooksInvalid: if their file is corrupt or was edited by hand.
    """
    about = {
        "method": subject.name,
        "version": subject.version,
        "code": subject.code,
        "baseline": trial.baseline,
        "where": trial.where,
        "bits": str(trial.bits),
    }
    name = re.sub(r"[^A-Za-z0-9.=-]+", "-", f"{subject.name}-{trial.bits}")[:120]
    path = results / "regressions" / f"{name}-{digest(about)[:16]}.json"
    if not path.is_file():
        return Looks(path, about)
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        if seal(plain)["digest"] != plain["digest"]:
            raise LooksInvalid(f"{path}: it does not match its digest, so it was edited by hand; restore it from git")
        return Looks(path, about, tuple(Look(**look) for look in plain["looks"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LooksInvalid(f"{path}: not readable ({error}); restore it from git") from error

"""Trials: what is known of a method and its baseline at one bit-width of one league, before anybody judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.compare.reference import FrozenRun
from bench.compare.runs import Run
from bench.files import digest
from bench.records import find
from bench.spec import Bits

if TYPE_CHECKING:
    from bench.sweep.plan import Planned


@dataclass(frozen=True)
class Evidence:
    """What one run contributes: its seed, where it ran, `last` as a share, and the digest of its result."""

    seed: int
    platform: str
    last: float
    digest: str

    @classmethod
    def frozen(cls, run: FrozenRun) -> Evidence:
        return cls(run.seed, run.platform, run.last, run.digest)


@dataclass(frozen=True)
class Runs:
    """The runs of one side, and how those that did not finish ended, each `seed N: status`.

    Attributes:
        diverged: seeds whose losses were not finite, which a repetition would not change. lost: all other failures.
    """

    found: tuple[Evidence, ...]
    diverged: tuple[int, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def lasts(self) -> list[float]:
        return [run.last for run in self.found]


@dataclass(frozen=True)
class Trial:
    """A method against its baseline.

    Attributes:
        where: data set, network, schedule and precision. margin: a share, declared beforehand.
        reference: the baseline's runs. baseline: its name, for people and for the trace of looks.
        new: the method's runs.
    """

    where: str
    bits: Bits
    margin: float
    baseline: str
    reference: Runs
    new: Runs

    @property
    def identical(self) -> bool:
        """Whether the new results are the reference's, bit for bit, on all seeds and platforms that both have."""
        old = {(run.seed, run.platform): run.digest for run in self.reference.found}
        met = [(old[key], run.digest) for run in self.new.found if (key := (run.seed, run.platform)) in old]
        return len(met) == min(len(self.reference.found), len(self.new.found)) > 0 and all(a == b for a, b in met)

    @property
    def data(self) -> str:
        """Digest of the results that it rests on."""
        return digest([sorted(run.digest for run in side.found) for side in (self.reference, self.new)])


def runs_of(cells: Sequence[Planned]) -> Runs:
    """The runs that some planned cells have left.

    Raises:
        RecordInvalid: if one of them cannot stand beside others.
    """
    found, diverged, lost = [], [], []
    for planned in cells:
        record = find(planned.path)
        run = Run.of(record) if record else None
        if run is not None:
            found.append(Evidence(run.seed, run.record.platform, run.last, run.digest))
        elif record is not None and record.status == "diverged":
            diverged.append(planned.cell.seed)
        else:
            lost.append(f"seed {planned.cell.seed}: {record.status if record else 'not run'}")
    return Runs(tuple(found), tuple(diverged), tuple(lost))

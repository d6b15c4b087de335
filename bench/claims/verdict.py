"""What records say of a claim: verdicts from the interval of a difference over seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.claims.evidence import Evidence, Run, Setting
from bench.claims.file import Claim, Claims, Comparison, Spot
from bench.stats import MINIMUM_SEEDS
from bench.stats.difference import Difference, welch
from bench.stats.refusals import TooFewSeeds

REPRODUCED, STRONGER, WEAKER, CONTRADICTED = "reproduced", "stronger", "weaker", "contradicted"
CANNOT_TELL, NOT_RUN = "cannot tell", "not run"
VERDICTS = (REPRODUCED, STRONGER, WEAKER, CONTRADICTED, CANNOT_TELL, NOT_RUN)
FINAL_SCHEDULE = "paper"


@dataclass(frozen=True)
class Finding:
    """A comparison of a claim at one spot in one setting; without a setting where no setting has both arms.

    Differences are `of` - `over`, in points of top-1, or in doublings for gradients.

    Attributes:
        of, over: the runs of both arms, by seed. difference: over seeds, None where there are too few for it.
        best: the difference of the best epochs' means, which papers report; None for gradients.
        lacking: names of the arms that have no run at all, where there is no setting.
    """

    claim: Claim
    spot: Spot
    comparison: Comparison
    setting: Setting | None = None
    of: tuple[Run, ...] = ()
    over: tuple[Run, ...] = ()
    difference: Difference | None = None
    verdict: str = NOT_RUN
    lacking: tuple[str, ...] = ()

    @property
    def estimate(self) -> float | None:
        """The difference of the means."""
        return self._means("last") if self.setting else None

    @property
    def best(self) -> float | None:
        """The same of the best epochs."""
        return self._means("best") if self.setting and self.comparison.measure == "accuracy" else None

    @property
    def final(self) -> bool:
        """Whether the schedule is the published one."""
        return self.setting is not None and self.setting.schedule == FINAL_SCHEDULE

    def values(self, runs: Sequence[Run], which: str = "last") -> list[float]:
        """The comparison's number of each run: top-1 in percent, or the binary logarithm of the gradient's norm."""
        return _values(runs, self.comparison, which)

    def _means(self, which: str) -> float:
        return fmean(self.values(self.of, which)) - fmean(self.values(self.over, which))


def findings(claims: Claims, evidence: Evidence) -> Iterator[Finding]:
    """What the records say of every comparison at every spot, a finding for each setting that both arms ran in."""
    for claim in claims.claims:
        for spot in claim.spots:
            for comparison in claim.comparisons:
                yield from _findings(claim, spot, comparison, evidence)


def _findings(claim: Claim, spot: Spot, comparison: Comparison, evidence: Evidence) -> Iterator[Finding]:
    of, over = (
        _measured(evidence.runs(claim, spot, claim.arms[name]), comparison.measure)
        for name in (comparison.of, comparison.over)
    )
    shared = sorted(of.keys() & over.keys(), key=lambda setting: setting.order)
    if not shared:
        lacking = tuple(name for name, runs in ((comparison.of, of), (comparison.over, over)) if not runs)
        yield Finding(claim, spot, comparison, lacking=lacking)
    for setting in shared:
        sides = tuple(of[setting]), tuple(over[setting])
        difference = _difference(*sides, comparison)
        verdict = judge(comparison, spot.gain, difference)
        yield Finding(claim, spot, comparison, setting, *sides, difference, verdict)


def judge(comparison: Comparison, gain: float | None, difference: Difference | None) -> str:
    """The verdict that an interval gives; `cannot tell` without one, or under `MINIMUM_SEEDS` seeds a side."""
    if difference is None or min(difference.n_a, difference.n_b) < MINIMUM_SEEDS:
        return CANNOT_TELL
    low, high = difference.low, difference.high
    if comparison.expect == "within":
        return _side(low + comparison.margin, high + comparison.margin)
    claimed = gain if comparison.expect == "gain" else None
    if comparison.expect == "less" or (claimed is not None and claimed < 0):
        low, high = -high, -low
    return _side(low, high) if claimed is None else _against(abs(claimed), low, high)


def _side(low: float, high: float) -> str:
    """Verdict on a claim that a difference is above 0."""
    if low > 0:
        return REPRODUCED
    return CONTRADICTED if high < 0 else CANNOT_TELL


def _against(gain: float, low: float, high: float) -> str:
    """Verdict on a claimed gain above 0."""
    if high < gain / 2:
        return CONTRADICTED
    if high < gain:
        return WEAKER
    if low > gain:
        return STRONGER
    return REPRODUCED if low > 0 else CANNOT_TELL


def _measured(found: Mapping[Setting, Sequence[Run]], measure: str) -> dict[Setting, list[Run]]:
    """The runs that hold the measure."""
    kept = {s: [run for run in runs if measure == "accuracy" or run.gradient] for s, runs in found.items()}
    return {setting: runs for setting, runs in kept.items() if runs}


def _difference(of: Sequence[Run], over: Sequence[Run], comparison: Comparison) -> Difference | None:
    try:
        return welch(_values(over, comparison, "last"), _values(of, comparison, "last"))
    except TooFewSeeds:
        return None


def _values(runs: Sequence[Run], comparison: Comparison, which: str) -> list[float]:
    if comparison.measure == "gradient":
        return [math.log2(run.gradient) for run in runs if run.gradient]
    return [100 * getattr(run, which) for run in runs]

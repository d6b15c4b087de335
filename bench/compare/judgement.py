"""Judgements: pass, fail or cannot tell, for each trial of a check and for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.compare.looks import Looks
from bench.compare.trial import Trial
from bench.stats import MINIMUM_SEEDS
from bench.stats.difference import Difference
from bench.stats.margin import MOST_LOOKS, Verdict, noninferior

LEVEL = 0.95
PASS, SOME_FAILED, REGRESSION, CANNOT_TELL = 0, 1, 3, 4
"""Exit codes of a check."""


@dataclass(frozen=True)
class Judged:
    """A trial and what is said of it.

    Attributes:
        verdict: `pass`, `fail` or `cannot tell`. reason: for people.
        difference: new - reference, shares, with its interval at this look; None where there is none.
        direction: whether the method is better or worse than the baseline, if anything shows.
        look: which of the looks this is; 0 where the verdict needed no statistics.
    """

    trial: Trial
    verdict: str
    reason: str
    difference: Difference | None = None
    direction: str = "-"
    look: int = 0


def judge(trials: Sequence[Trial], looks: Callable[[Trial], Looks]) -> list[Judged]:
    """Judge the trials of one check; what rests on statistics is kept as a look.

    Args:
        looks: the looks that were taken at a trial before.
    """
    return [_plainly(trial) or _statistically(trial, looks(trial), len(trials)) for trial in trials]


def exit_code(judged: Sequence[Judged]) -> int:
    """The code that a check ends with: a regression weighs most, then cells that failed, then not knowing."""
    verdicts = {one.verdict for one in judged}
    if "fail" in verdicts:
        return REGRESSION
    if any(one.trial.new.lost or one.trial.reference.lost for one in judged):
        return SOME_FAILED
    return CANNOT_TELL if "cannot tell" in verdicts else PASS


def _plainly(trial: Trial) -> Judged | None:
    """What can be said without statistics, if anything."""
    new, old = trial.new, trial.reference
    if new.lost or old.lost:
        return Judged(trial, "cannot tell", f"not all runs finished: {', '.join((*new.lost, *old.lost))}")
    if worse := sorted(set(new.diverged) - set(old.diverged)):
        return Judged(trial, "fail", f"diverged at seed {', '.join(map(str, worse))}, where the baseline does not")
    if trial.identical:
        return Judged(trial, "pass", "the same results, bit for bit")
    least = min(len(new.found), len(old.found))
    if least < MINIMUM_SEEDS:
        return Judged(
            trial, "cannot tell", f"{least} seeds; {MINIMUM_SEEDS} a side are needed: --seeds {MINIMUM_SEEDS}"
        )
    return None


def _statistically(trial: Trial, before: Looks, trials: int) -> Judged:
    """Whether the method is within the margin. The error rate is split over looks; that of alarms over trials too."""
    if past := before.settled(trial):
        told = f"the verdict of {past.date} at {past.new} seeds stands" if past.verdict != "cannot tell" else _SPENT
        return Judged(trial, past.verdict, f"{told}; change the method to look again")
    old, new = trial.reference.lasts, trial.new.lasts
    own = noninferior(old, new, trial.margin, LEVEL, MOST_LOOKS)
    among = noninferior(old, new, trial.margin, 1 - (1 - LEVEL) / trials, MOST_LOOKS)
    verdict, number = own.verdict if own.verdict == "pass" else among.verdict, before.number(trial)
    before.keep(trial, verdict)
    reason = _reason(verdict, number, among, len(new))
    return Judged(trial, verdict, reason, own.difference, _direction(among.difference), number)


def _direction(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    return "better" if difference.low > 0 else "worse" if difference.high < 0 else "neither shown"


def _reason(verdict: str, look: int, found: Verdict, seeds: int) -> str:
    if verdict == "pass":
        return "not worse by more than the margin"
    if verdict == "fail":
        return "worse, and nothing says that it is by less than the margin"
    if look >= MOST_LOOKS:
        return _SPENT
    if found.more_seeds:
        return f"{found.more_seeds} more seeds would, as it looks now: --seeds {seeds + found.more_seeds}"
    both = f"; {found.more_of_each} more of each side would" if found.more_of_each else ""
    return f"no number of further seeds of it alone would{both}"


_SPENT = f"all {MOST_LOOKS} looks are taken, and it stays so"

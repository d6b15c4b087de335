"""Verdicts against a margin: what they say, when, and how often they are wrong."""

from __future__ import annotations

from statistics import fmean, stdev

import numpy as np
import pytest
from nullworlds import WORLDS

from bench.stats import MINIMUM_SEEDS
from bench.stats.difference import welch
from bench.stats.margin import Verdict, equivalent, noninferior
from bench.stats.student import bounds

MARGIN = 0.005
WORST = WORLDS["skewness -0.5, 0.1 and 0.5 points"]


def around(mean: float, sd: float, n: int = 5) -> list[float]:
    """Shares of exactly this mean and sample deviation."""
    steps = np.arange(n) - (n - 1) / 2
    return (mean + sd * steps / steps.std(ddof=1)).tolist()


@pytest.mark.parametrize(
    ("shift", "sd", "verdict"),
    [
        (0.0, 0.001, "pass"),
        (0.02, 0.001, "pass"),
        (-0.003, 0.0005, "pass"),
        (-0.02, 0.001, "fail"),
        (-0.006, 0.001, "fail"),
        (0.0, 0.01, "cannot tell"),
        (-0.004, 0.003, "cannot tell"),
    ],
)
def test_the_interval_decides_whether_a_method_is_no_worse(shift: float, sd: float, verdict: str) -> None:
    found = noninferior(around(0.88, sd), around(0.88 + shift, sd), MARGIN)
    assert found.verdict == verdict
    assert found.difference == welch(around(0.88, sd), around(0.88 + shift, sd))


@pytest.mark.parametrize(
    ("shift", "sd", "verdict"),
    [
        (0.0, 0.001, "pass"),
        (0.003, 0.0005, "pass"),
        (0.02, 0.001, "fail"),
        (-0.02, 0.001, "fail"),
        (-0.006, 0.001, "cannot tell"),
    ],
)
def test_the_interval_decides_whether_methods_are_equal(shift: float, sd: float, verdict: str) -> None:
    assert equivalent(around(0.88, sd), around(0.88 + shift, sd), MARGIN).verdict == verdict


@pytest.mark.parametrize("judge", [noninferior, equivalent])
def test_under_five_seeds_nobody_can_tell(judge: object) -> None:
    few, enough = around(0.8, 0.001, 3), around(0.88, 0.001, 5)
    assert callable(judge)
    assert judge(enough, few, MARGIN) == Verdict("cannot tell", None, MINIMUM_SEEDS - 3, MINIMUM_SEEDS - 3)
    assert judge(few, enough, MARGIN) == Verdict("cannot tell", None, None, MINIMUM_SEEDS - 3)


@pytest.mark.parametrize("judge", [noninferior, equivalent])
@pytest.mark.parametrize("shift", [0.001, -0.004])
def test_the_seeds_asked_for_settle_it_if_nothing_changes(judge: object, shift: float) -> None:
    old, new = around(0.88, 0.006, 8), around(0.88 + shift, 0.006, 5)
    assert callable(judge)
    found = judge(old, new, MARGIN)
    assert found.verdict == "cannot tell" and found.more_of_each
    wider = [around(fmean(side), stdev(side), len(side) + found.more_of_each) for side in (old, new)]
    assert judge(*wider, MARGIN).verdict != "cannot tell"
    if found.more_seeds:
        assert judge(old, around(fmean(new), stdev(new), 5 + found.more_seeds), MARGIN).verdict != "cannot tell"


def test_the_verdict_that_is_nearer_is_planned_for() -> None:
    nearly_failing, nearly_passing = (
        noninferior(around(0.88, 0.006), around(x, 0.006), MARGIN) for x in (0.876, 0.879)
    )
    assert nearly_failing.verdict == nearly_passing.verdict == "cannot tell"
    assert nearly_failing.more_of_each == nearly_passing.more_of_each


def test_a_wide_reference_needs_seeds_itself() -> None:
    found = noninferior(around(0.88, 0.006), around(0.88, 0.001), MARGIN)
    assert (found.verdict, found.more_seeds) == ("cannot tell", None)
    assert found.more_of_each is not None


def test_two_looks_share_the_error_rate() -> None:
    old, new = around(0.88, 0.003), around(0.8801, 0.003)
    once, twice = noninferior(old, new, MARGIN), noninferior(old, new, MARGIN, looks=2)
    assert (once.verdict, twice.verdict) == ("pass", "cannot tell")
    assert twice.difference is not None and twice.difference.level == pytest.approx(0.975)


def test_pairs_are_compared_as_pairs() -> None:
    old = around(0.88, 0.006)
    new = [share + gain for share, gain in zip(old, around(0.0, 0.001), strict=True)]
    for judge in (noninferior, equivalent):
        found = judge(old, new, MARGIN, pairs=True)
        assert found.verdict == "pass"
        assert found.difference is not None and found.difference.procedure == "paired"
        open_one = judge(old, around(0.88, 0.006)[::-1], MARGIN, pairs=True)
        assert open_one.more_seeds is None and open_one.more_of_each
        with pytest.raises(ValueError, match="zip"):
            judge(old, [*new, 0.88], MARGIN, pairs=True)


def test_margins_and_looks_must_make_sense() -> None:
    for judge in (noninferior, equivalent):
        with pytest.raises(ValueError, match="above 0"):
            judge(around(0.88, 0.003), around(0.88, 0.003), 0.0)
    with pytest.raises(ValueError, match="3 looks"):
        noninferior(around(0.88, 0.003), around(0.88, 0.003), MARGIN, looks=3)


@pytest.mark.parametrize("seeds", [(5, 5), (5, 10), (10, 5), (10, 10)], ids=str)
@pytest.mark.parametrize("name", WORLDS)
def test_an_end_of_the_interval_is_passed_in_at_most_six_of_a_hundred(name: str, seeds: tuple[int, int]) -> None:
    old, new = WORLDS[name].shares(np.random.default_rng(8), 2000, *seeds)
    parts = [(side.var(axis=1, ddof=1) / side.shape[1], side.shape[1] - 1) for side in (old, new)]
    low, high = bounds(new.mean(axis=1) - old.mean(axis=1), parts, 0.95)
    assert 0.005 < max((low > 0).mean(), (high < 0).mean()) <= 0.06


def test_two_looks_together_are_wrong_in_at_most_six_of_a_hundred() -> None:
    old, new = (side.tolist() for side in WORST.shares(np.random.default_rng(9), 400, 10, 20))
    verdicts = [
        (after_two_looks(a, [share - MARGIN for share in b]), after_two_looks(a, b))
        for a, b in zip(old, new, strict=True)
    ]
    wrong = sum(worse == "pass" for worse, _ in verdicts), sum(equal == "fail" for _, equal in verdicts)
    assert 0 < max(wrong) / len(verdicts) <= 0.06


def after_two_looks(reference: list[float], runs: list[float]) -> str:
    """The verdict at five seeds, or else at as many as it then asks for, of those that there are."""
    first = noninferior(reference, runs[:5], MARGIN, looks=2)
    if first.verdict != "cannot tell":
        return first.verdict
    return noninferior(reference, runs[: 5 + (first.more_seeds or len(runs))], MARGIN, looks=2).verdict

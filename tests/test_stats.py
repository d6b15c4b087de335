"""Intervals, tests and plans: against scipy, published figures, and simple truths."""

from __future__ import annotations

import base64
from itertools import pairwise
from math import sqrt
from statistics import stdev

import numpy as np
import pytest
from scipy import stats

from bench.errors import BenchError, RecordInvalid
from bench.stats import MINIMUM_SEEDS
from bench.stats.bits import discordant, unpacked
from bench.stats.crossed import components, crossed
from bench.stats.difference import Difference, paired, welch
from bench.stats.mcnemar import mcnemar
from bench.stats.multiplicity import benjamini_hochberg
from bench.stats.noise import noise
from bench.stats.pairing import break_even, pairing
from bench.stats.planning import more_seeds
from bench.stats.power import MOST_SEEDS, detectable, seeds_for
from bench.stats.proportion import wilson
from bench.stats.refusals import TooFewSeeds

OLD = [0.880, 0.8812, 0.879, 0.8825, 0.8801]
NEW = [0.8850, 0.8845, 0.8880, 0.8796, 0.8861, 0.8849]


@pytest.mark.parametrize(("right", "images"), [(0, 10), (1, 64), (56, 64), (8803, 10_000), (10_000, 10_000)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_is_scipys(right: int, images: int, level: float) -> None:
    expected = stats.binomtest(right, images).proportion_ci(level, method="wilson")
    assert wilson(right / images, images, level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_refuses_what_is_no_share() -> None:
    with pytest.raises(ValueError, match="88.03"):
        wilson(88.03, 10_000)
    with pytest.raises(ValueError, match="0 images"):
        wilson(0.5, 0)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (0, 5), (3, 3), (10, 30), (700, 620), (5000, 5000)])
def test_mcnemar_is_the_exact_binomial_test(gained: int, lost: int) -> None:
    expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(lost, gained) == mcnemar(gained, lost)


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="-1"):
        mcnemar(-1, 3)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.975])
def test_welch_is_scipys(level: float) -> None:
    expected = stats.ttest_ind(NEW, OLD, equal_var=False)
    interval = expected.confidence_interval(level)
    found = welch(OLD, NEW, level)
    assert (found.low, found.high, found.p) == pytest.approx((interval.low, interval.high, expected.pvalue), rel=1e-9)
    assert found.estimate == pytest.approx(np.mean(NEW) - np.mean(OLD))
    assert (found.n_a, found.n_b, found.procedure, found.level) == (5, 6, "welch", level)


def test_paired_is_scipys() -> None:
    expected = stats.ttest_rel(NEW[:5], OLD)
    interval = expected.confidence_interval(0.95)
    found = paired(OLD, NEW[:5])
    assert (found.low, found.high, found.p) == pytest.approx((interval.low, interval.high, expected.pvalue), rel=1e-9)
    with pytest.raises(ValueError, match="zip"):
        paired(OLD, NEW)


def test_a_method_without_randomness_has_no_spread() -> None:
    beside_random = welch([0.87] * 5, OLD)
    assert beside_random.p == pytest.approx(stats.ttest_1samp(OLD, 0.87).pvalue, rel=1e-9)
    same, other = welch([0.87] * 5, [0.87] * 5), welch([0.87] * 5, [0.88] * 5)
    assert (same.p, same.low, same.high, same.called()) == (1.0, 0.0, 0.0, "cannot tell")
    assert (other.p, other.called()) == (0.0, "better")


def test_differences_are_plain_numbers() -> None:
    bits = np.random.default_rng(0).random((2, 5, 100)) < 0.9
    for found in (welch(OLD, NEW), paired(OLD, OLD), crossed(*bits)):
        assert all(type(value) in (float, int, str) for value in vars(found).values())


def test_too_few_seeds_are_refused_in_words() -> None:
    with pytest.raises(TooFewSeeds, match="welch: 4 seeds are too few; give at least 5 of each side") as caught:
        welch(OLD[:4], NEW)
    assert isinstance(caught.value, BenchError)
    with pytest.raises(TooFewSeeds):
        crossed(np.ones((5, 10), bool), np.ones((4, 10), bool))
    with pytest.raises(TooFewSeeds):
        paired(OLD[:2], NEW[:2])


def test_nothing_is_called_better_under_five_seeds() -> None:
    clear = Difference(0.1, 0.09, 0.11, 1e-9, MINIMUM_SEEDS - 1, 9, "paired", 0.95)
    assert clear.called() == "cannot tell"
    assert paired(OLD[:3], [share + 0.1 for share in OLD[:3]]).called() == "cannot tell"


def test_what_is_called_follows_the_interval_or_the_adjusted_p() -> None:
    worse = welch(NEW, OLD)
    assert worse.high < 0
    assert (worse.called(), welch(OLD, NEW).called(), welch(OLD, OLD).called()) == ("worse", "better", "cannot tell")
    assert worse.called(adjusted=0.06) == "cannot tell"


@pytest.mark.parametrize("p", [[], [0.04], [0.01, 0.04, 0.03, 0.005, 1.0, 0.04], [0.0, 0.9, 0.9]])
def test_benjamini_hochberg_is_scipys(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p) if p else [])


def test_benjamini_hochberg_refuses_what_is_no_p() -> None:
    with pytest.raises(ValueError, match="1.2"):
        benjamini_hochberg([0.1, 1.2])


@pytest.mark.parametrize(
    ("effect", "power", "seeds"),
    [(0.2, 0.8, 394), (0.5, 0.8, 64), (0.8, 0.8, 26), (1.0, 0.8, 17), (0.5, 0.9, 86), (1.2, 0.9, 16)],
)
def test_seeds_for_an_effect_are_those_of_cohens_tables(effect: float, power: float, seeds: int) -> None:
    assert seeds_for(1.0, effect, power=power) == seeds


@pytest.mark.parametrize("n", [2, 3, 5, 10, 100])
def test_what_is_detectable_is_shown_as_often_as_promised(n: int) -> None:
    draw = np.random.default_rng(n)
    shape = (20_000, n)
    effect = detectable(0.3, n)
    found = stats.ttest_ind(draw.normal(effect, 0.3, shape), draw.normal(0, 0.3, shape), axis=1)
    shown = (found.pvalue < 0.05) & (found.statistic > 0)
    assert shown.mean() == pytest.approx(0.8, abs=0.01)


def test_what_is_detectable_shrinks_with_seeds_and_never_needs_fewer_than_five() -> None:
    effects = [detectable(1.0, n) for n in range(2, 50)]
    assert all(more < fewer for fewer, more in pairwise(effects))
    assert seeds_for(0.001, 10.0) == MINIMUM_SEEDS
    with pytest.raises(ValueError, match=f"more than {MOST_SEEDS} seeds"):
        seeds_for(1.0, 0.001)
    with pytest.raises(ValueError, match="effect of 0"):
        seeds_for(1.0, 0.0)
    with pytest.raises(ValueError, match="1 seeds"):
        detectable(1.0, 1)


def test_so_many_more_seeds_do_tell_four_times_in_five() -> None:
    draw = np.random.default_rng(3)
    old, new = draw.normal(0, 1, 5).tolist(), draw.normal(0, 2, 6).tolist()
    more = more_seeds([], [old, new], 1.2, 0.95)
    assert more is not None
    sides = [draw.normal(1.2 * i, stdev(x), (20_000, len(x) + more)) for i, x in enumerate((old, new))]
    found = stats.ttest_ind(sides[1], sides[0], axis=1, equal_var=False)
    assert ((found.pvalue < 0.05) & (found.statistic > 0)).mean() == pytest.approx(0.8, abs=0.02)
    assert more_seeds([old], [new], 1e-3, 0.95) is None


def test_noise_of_seeds_and_of_images_stand_apart() -> None:
    found = noise(OLD, 10_000)
    assert found.seed_sd == pytest.approx(stdev(OLD))
    assert found.image_sd == pytest.approx(sqrt(np.mean(OLD) * (1 - np.mean(OLD)) / 10_000))
    assert found.total_sd == pytest.approx(sqrt(found.seed_sd**2 + found.image_sd**2))
    with pytest.raises(ValueError, match="1 seeds"):
        noise([0.9], 10_000)


def test_components_of_a_method_are_found() -> None:
    draw = np.random.default_rng(4)
    chance = draw.choice([0.4, 0.8, 0.95], 2000)
    shift = draw.normal(0, 0.01, (400, 1))
    correct = draw.random((400, 2000)) < chance * (1 + shift)
    found = components(correct)
    assert found.seed_sd == pytest.approx(0.01 * chance.mean(), rel=0.1)
    assert found.image_sd == pytest.approx(chance.std() / sqrt(2000), rel=0.02)
    assert found.mixed_sd == pytest.approx(sqrt((chance * (1 - chance)).mean() / 2000), rel=0.02)
    assert found.observed_sd == pytest.approx(correct.mean(axis=1).std(ddof=1), rel=1e-9)
    assert noise(correct.mean(axis=1).tolist(), 2000).total_sd > found.total_sd > found.observed_sd


def test_components_below_zero_count_as_zero() -> None:
    correct = np.array([[True, False, True, False], [False, True, False, True]])
    assert components(correct).seed_sd == components(correct).image_sd == 0
    with pytest.raises(ValueError, match="1 seeds"):
        components(correct[:1])


def test_crossed_is_welch_where_images_suit_both_methods_alike() -> None:
    old, new = np.ones((5, 200), bool), np.ones((5, 200), bool)
    for seed in range(5):
        old[seed, : 10 + seed] = False
        new[seed, : 20 - 2 * seed] = False
    alone = welch(old.mean(axis=1).tolist(), new.mean(axis=1).tolist())
    together = crossed(old, new)
    assert together.estimate == pytest.approx(alone.estimate)
    assert together.low == pytest.approx(alone.low, abs=0.004)


def test_crossed_is_wider_where_images_suit_one_method_better() -> None:
    draw = np.random.default_rng(5)
    chance = draw.choice([0.5, 0.95], (2, 1, 1000))
    old, new = draw.random((2, 10, 1000)) < chance
    alone = welch(old.mean(axis=1).tolist(), new.mean(axis=1).tolist())
    together = crossed(old, new)
    seeds = (alone.high - alone.low) / 2 / stats.t.ppf(0.975, 18)
    images = sqrt(2 * chance[0].var() / 1000)
    assert (together.high - together.low) / 2 == pytest.approx(1.98 * sqrt(seeds**2 + images**2), rel=0.1)
    assert together.high - together.low > 1.3 * (alone.high - alone.low)
    assert together.estimate == pytest.approx(alone.estimate)


def test_crossed_refuses_sides_of_other_images() -> None:
    with pytest.raises(ValueError, match="10 and 20 images"):
        crossed(np.ones((5, 10), bool), np.ones((5, 20), bool))


def test_pairing_pays_where_a_study_shows_that_pairs_go_together() -> None:
    draw = np.random.default_rng(6)
    shared, own = draw.normal(0, 0.003, 20), draw.normal(0, 0.0005, (2, 20))
    alike = pairing(*(0.88 + shared + own).tolist(), seeds=5)
    unlike = pairing(*(0.88 + draw.normal(0, 0.003, (2, 20))).tolist(), seeds=5)
    assert alike.pays and alike.low < alike.correlation
    assert not unlike.pays
    exact = pairing(shared.tolist(), shared.tolist(), seeds=5)
    assert exact.correlation == pytest.approx(1) and exact.pays
    assert not pairing(shared.tolist(), (-shared).tolist(), seeds=5).pays
    with pytest.raises(TooFewSeeds, match="4 pairs"):
        pairing(OLD[:4], NEW[:4], seeds=5)


def test_a_small_study_shows_little_of_a_correlation() -> None:
    found = pairing(OLD, [0.881, 0.884, 0.8795, 0.8815, 0.882], seeds=10)
    assert found.correlation > found.break_even > found.low
    assert not found.pays
    expected = stats.pearsonr(OLD, [0.881, 0.884, 0.8795, 0.8815, 0.882]).confidence_interval(0.9)
    assert found.low == pytest.approx(expected.low)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_at_break_even_both_intervals_are_equally_wide(seeds: int) -> None:
    independent = stats.t.ppf(0.975, 2 * seeds - 2)
    pairs = stats.t.ppf(0.975, seeds - 1) * sqrt(1 - break_even(seeds))
    assert pairs == pytest.approx(independent, rel=1e-9)


@pytest.mark.parametrize("images", [8, 61, 10_000])
def test_bits_of_records_are_read_back(images: int) -> None:
    correct = np.random.default_rng(images).random(images) < 0.9
    packed = base64.b64encode(np.packbits(correct).tobytes()).decode()
    assert np.array_equal(unpacked(packed, images), correct)
    with pytest.raises(RecordInvalid, match="bits"):
        unpacked(packed, images + 8)


def test_damaged_bits_are_refused() -> None:
    with pytest.raises(RecordInvalid, match="base64"):
        unpacked("not base64", 8)
    with pytest.raises(RecordInvalid, match="does not hold 7 bits"):
        unpacked(base64.b64encode(b"\xff").decode(), 7)


def test_discordant_images_are_counted_both_ways() -> None:
    first, second = np.array([1, 1, 0, 0, 1], bool), np.array([1, 0, 1, 1, 1], bool)
    assert discordant(first, second) == (2, 1)
    with pytest.raises(ValueError, match="5 and 4 images"):
        discordant(first, second[:4])

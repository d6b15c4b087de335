"""False alarms on simulated nulls, which decide from how many seeds on a procedure is trusted."""

from __future__ import annotations

import re
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from nullworlds import ALIKE, BEYOND, IMAGE_WORLDS, IMAGES, WORLDS, Floats, ImageWorld, World

from bench.stats import MINIMUM_SEEDS, refusals
from bench.stats.crossed import crossed
from bench.stats.difference import paired, welch
from bench.stats.refusals import ALLOWANCE, FALSE_ALARMS, NOMINAL, smallest
from bench.stats.student import bounds

LIMIT = NOMINAL + ALLOWANCE
DOCUMENT = Path(__file__).parents[1] / "docs" / "statistics.md"
SIDES = {"paired": {n: [(n, n)] for n in (3, 5, 10)}}
SIDES["welch"] = {n: sorted({(n, n), (n, 10), (10, n)}) for n in (3, 5, 10)}
SIDES["crossed"] = {3: [(10, 3)], 5: [(5, 5), (10, 5)], 10: [(10, 10)]}
TRUSTED = [(name, n) for name in ("welch", "paired") for n in (3, 5, 10) if n >= smallest(name)]


def rate(procedure: str, world: World, n_a: int, n_b: int, nulls: int) -> float:
    """Share of nulls that a procedure of accuracies calls different, computed for all at once."""
    a, b = world.shares(np.random.default_rng(n_a * 100 + n_b), nulls, n_a, n_b)
    sides = [b - a] if procedure == "paired" else [a, b]
    parts = [(side.var(axis=1, ddof=1) / side.shape[1], side.shape[1] - 1) for side in sides]
    return outside(*bounds(b.mean(axis=1) - a.mean(axis=1), parts, 1 - NOMINAL))


def outside(low: Floats, high: Floats) -> float:
    """Share of intervals without zero."""
    return float(((low > 0) | (high < 0)).mean())


def worst(procedure: str, n: int, nulls: int) -> float:
    """The highest rate over worlds and numbers of seeds whose smaller is n."""
    pairs = SIDES[procedure][n]
    return max(rate(procedure, world, *sides, nulls) for world in WORLDS.values() for sides in pairs)


def image_rates(world: ImageWorld, n_a: int, n_b: int, images: int, nulls: int) -> tuple[float, float]:
    """Shares of nulls that crossed and Welch's procedure call different, where images are drawn anew for each."""
    found = [
        (crossed(a, b), welch(a.mean(axis=1).tolist(), b.mean(axis=1).tolist()))
        for a, b in world.correct(np.random.default_rng([n_a, n_b, images]), nulls, n_a, n_b, images)
    ]
    ends = np.array([[(one.low, one.high) for one in two] for two in found])
    return outside(*ends[:, 0].T), outside(*ends[:, 1].T)


def test_what_is_simulated_at_once_is_what_one_comparison_computes() -> None:
    a, b = WORLDS["0.1 and 0.5 points"].shares(np.random.default_rng(0), 50, 5, 10)
    parts = [(side.var(axis=1, ddof=1) / side.shape[1], side.shape[1] - 1) for side in (a, b)]
    low, high = bounds(b.mean(axis=1) - a.mean(axis=1), parts, 0.95)
    singly = [welch(old, new) for old, new in zip(a.tolist(), b.tolist(), strict=True)]
    assert low == pytest.approx([one.low for one in singly])
    assert high == pytest.approx([one.high for one in singly])
    assert paired(a[0].tolist(), b[0, :5].tolist()).n_a == 5


@pytest.mark.parametrize(("procedure", "n"), TRUSTED)
def test_a_trusted_procedure_gives_at_most_one_point_more_false_alarms(procedure: str, n: int) -> None:
    nulls = 2000
    assert 0.01 < worst(procedure, n, nulls) <= LIMIT + 2 * sqrt(LIMIT * (1 - LIMIT) / nulls)


def test_seeds_that_go_together_make_welch_cautious_and_pairs_right() -> None:
    assert rate("welch", ALIKE, 5, 5, 5000) < 0.03 < 0.04 < rate("paired", ALIKE, 5, 5, 5000) < LIMIT


def test_what_gives_more_is_refused() -> None:
    assert worst("welch", 3, 5000) > LIMIT
    assert (smallest("welch"), smallest("paired"), smallest("crossed")) == (MINIMUM_SEEDS, 3, MINIMUM_SEEDS)


def test_a_rate_above_the_limit_refuses_all_fewer_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(refusals.FALSE_ALARMS, "paired", {3: 0.05, 5: 0.061, 10: 0.06})
    assert smallest("paired") == 10
    with pytest.raises(refusals.TooFewSeeds, match="at least 10"):
        paired([0.9, 0.8] * 4, [0.8, 0.9] * 4)


@pytest.mark.parametrize("name", IMAGE_WORLDS)
def test_crossed_gives_at_most_one_point_more_on_other_images(name: str) -> None:
    together, alone = image_rates(IMAGE_WORLDS[name], 5, 5, 1000, 1000)
    assert 0.01 < together <= LIMIT
    assert (alone > LIMIT) == (name != "the same method"), "Welch's interval is about the images that were tested"


def test_the_documented_rates_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", DOCUMENT.read_text(), re.MULTILINE)
    documented = {name: dict(zip((3, 5, 10), map(float, rates), strict=True)) for name, *rates in rows}
    assert documented == {
        name: {n: round(100 * value, 1) for n, value in rates.items()} for name, rates in FALSE_ALARMS.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("procedure", ["welch", "paired"])
def test_the_table_of_rates_is_reproduced(procedure: str, n: int) -> None:
    found = worst(procedure, n, 100_000)
    assert found == pytest.approx(FALSE_ALARMS[procedure][n], abs=0.002)
    assert (found <= LIMIT) == (n >= smallest(procedure))


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_rates_of_crossed_are_reproduced(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    nulls, recorded = 2000, FALSE_ALARMS["crossed"][n]
    for procedure in ("crossed", "welch"):
        monkeypatch.setitem(refusals.FALSE_ALARMS, procedure, {n: 0.0})  # nothing is refused here
    found = max(
        image_rates(world, *sides, IMAGES, nulls)[0] for world in IMAGE_WORLDS.values() for sides in SIDES["crossed"][n]
    )
    assert found == pytest.approx(recorded, abs=2 * sqrt(LIMIT * (1 - LIMIT) / nulls))


@pytest.mark.slow
def test_more_skew_at_unequal_numbers_of_seeds_is_more_than_welch_can_take() -> None:
    balanced, unequal = rate("welch", BEYOND, 5, 5, 100_000), rate("welch", BEYOND, 10, 5, 100_000)
    assert balanced <= LIMIT < unequal < LIMIT + 0.005

"""The procedural stand-ins: the same bits everywhere, balanced, and without a shortcut past their outlines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.data import describe, load_split, shapes
from bench.data.dataset import canonical, statistics
from bench.data.known import KNOWN

NAMES = sorted(shapes.SIZES)


@pytest.fixture(scope="module")
def drawn() -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    return {(name, split): shapes.make(name, split) for name in NAMES for split in ("train", "test")}


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", NAMES)
def test_images_are_bit_for_bit_the_frozen_ones(drawn: dict, name: str, split: str) -> None:
    assert canonical(*drawn[name, split]).fingerprint == KNOWN[name].splits[split]


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_those_of_the_images(drawn: dict, name: str, tmp_path: Path) -> None:
    facts = describe(name, tmp_path)
    assert (facts.mean, facts.std) == statistics(drawn[name, "train"][0])
    assert facts.stand_in and facts.sizes == {split: len(drawn[name, split][1]) for split in ("train", "test")}
    assert facts.classes == len(np.unique(drawn[name, "train"][1]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", NAMES)
def test_classes_are_balanced_and_arrays_as_promised(drawn: dict, name: str, split: str) -> None:
    images, labels = drawn[name, split]
    assert images.dtype == np.uint8 and images.shape == (shapes.SIZES[name][split], 32, 32, 3)
    assert labels.dtype == np.int64 and set(np.bincount(labels)) == {len(labels) // KNOWN[name].classes}


def test_no_image_is_in_both_splits_or_twice(drawn: dict) -> None:
    for name in NAMES:
        images = np.concatenate([drawn[name, split][0] for split in ("train", "test")])
        assert len({image.tobytes() for image in images}) == len(images)


def test_neither_mean_colour_nor_contrast_tells_the_class(drawn: dict) -> None:
    def features(images: np.ndarray) -> np.ndarray:
        return np.concatenate([images.mean((1, 2)), images.std((1, 2)), np.ones((len(images), 1))], axis=1)

    (images, labels), (unseen, truth) = drawn["shapes10", "train"], drawn["shapes10", "test"]
    weights = np.linalg.lstsq(features(images), np.eye(10)[labels], rcond=None)[0]
    assert ((features(unseen) @ weights).argmax(1) == truth).mean() < 0.2


def test_load_split_serves_the_images_from_any_root(tmp_path: Path) -> None:
    split = load_split("shapes100", tmp_path / "nowhere", "test")
    assert (len(split), split.fingerprint) == (2_000, KNOWN["shapes100"].splits["test"])


def test_every_outline_and_ground_has_points_inside_and_outside() -> None:
    line = np.arange(-shapes.UNIT, shapes.UNIT, 8, dtype=np.int32)
    shares = [outline(line[None, None, :], line[None, :, None]).mean() for outline in shapes.OUTLINES]
    assert len(shares) == 10 and all(0.1 < share < 0.6 for share in shares)
    place = np.arange(shapes.SIDE, dtype=np.int32)
    plain, *patterns = (ground(place[None, None, :], place[None, :, None]).mean() for ground in shapes.GROUNDS)
    assert plain == 0 and len(patterns) == 9 and all(0.1 < share < 0.7 for share in patterns)

"""Scores of a model on test images, whatever number of them it is given at once."""

from __future__ import annotations

import pytest
import torch
from tiny import student

from bench.runner import evaluate
from bench.runner.evaluate import Score, TestImages, score

COUNT = 23


@pytest.fixture(scope="module")
def test_images() -> TestImages:
    random = torch.Generator().manual_seed(0)
    hues = torch.randint(256, (COUNT, 4, 4, 3), generator=random, dtype=torch.uint8)
    pixels = hues.repeat_interleave(8, 1).repeat_interleave(8, 2)
    labels = torch.randint(10, (COUNT,), generator=random)
    return TestImages(pixels, labels, torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.25, 0.3]))


@pytest.fixture(scope="module")
def one_by_one(test_images: TestImages) -> Score:
    return scored(test_images, 1)


def scored(test: TestImages, batch: int) -> Score:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "CPU_BATCH", batch)
        assert test.batch == batch
        return score(student(), test)


@pytest.mark.parametrize("batch", [7, COUNT - 1, COUNT, 500])
def test_answers_do_not_depend_on_how_many_images_are_answered_at_once(
    test_images: TestImages, one_by_one: Score, batch: int
) -> None:
    found = scored(test_images, batch)
    assert found.answers.tolist() == one_by_one.answers.tolist()
    assert found.packed() == one_by_one.packed()
    assert (found.top1, found.top5) == (one_by_one.top1, one_by_one.top5)
    assert 0 < found.top1 < found.top5 < 1
    assert len(set(found.answers)) > 1


def test_a_gpu_is_given_more_images_at_once(test_images: TestImages) -> None:
    elsewhere = TestImages(*(t.to("meta") for t in (test_images.images, test_images.labels)), *(test_images.mean,) * 2)
    assert (test_images.batch, elsewhere.batch) == (evaluate.CPU_BATCH, evaluate.GPU_BATCH)

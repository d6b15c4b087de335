"""Scores of a model on test images, whatever number of them it is given at once."""

from __future__ import annotations

import pytest
import torch
from tiny import student
from torch import nn

from bench.runner import evaluate
from bench.runner.evaluate import Score, score
from bench.runner.evaluate import TestImages as Images

COUNT = 23


@pytest.fixture(scope="module")
def test_images() -> Images:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (COUNT, 32, 32, 3), generator=random, dtype=torch.uint8)
    labels = torch.randint(10, (COUNT,), generator=random)
    return Images(pixels, labels, torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.25, 0.3]))


@pytest.fixture(scope="module")
def model(test_images: Images) -> nn.Module:
    """A student whose answers are near to each other and of many classes."""
    made = student()
    with torch.no_grad():
        made.output.bias -= made(test_images.normalised(0, COUNT)).mean(0)
    return made


@pytest.fixture(scope="module")
def one_by_one(model: nn.Module, test_images: Images) -> Score:
    return scored(model, test_images, 1)


def scored(model: nn.Module, test: Images, batch: int) -> Score:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "CPU_BATCH", batch)
        assert test.batch == batch
        return score(model, test)


@pytest.mark.parametrize("batch", [7, COUNT - 1, COUNT, 500])
def test_answers_do_not_depend_on_how_many_images_are_answered_at_once(
    model: nn.Module, test_images: Images, one_by_one: Score, batch: int
) -> None:
    found = scored(model, test_images, batch)
    assert found.answers.tolist() == one_by_one.answers.tolist()
    assert found.packed() == one_by_one.packed()
    assert (found.top1, found.top5) == (one_by_one.top1, one_by_one.top5)
    assert 0 < found.top1 < found.top5 < 1
    assert len(set(found.answers.tolist())) > 4


def test_a_gpu_is_given_more_images_at_once(test_images: Images) -> None:
    elsewhere = Images(*(t.to("meta") for t in (test_images.images, test_images.labels)), *(test_images.mean,) * 2)
    assert (test_images.batch, elsewhere.batch) == (evaluate.CPU_BATCH, evaluate.GPU_BATCH)

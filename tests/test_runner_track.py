"""A cell under way: gradient norms are those of the latest step, and looking at them changes nothing."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import changed, network, setup, snapshot
from torch import nn

from bench.registry import get
from bench.runner.evaluate import TestImages as Images
from bench.runner.gradients import gradient_norms
from bench.runner.track import Track

OPTIONS = {"base": "gdfq", "form": 0}


def few_images() -> Images:
    """Twenty test images of ten classes."""
    pixels = torch.randint(0, 256, (20, 32, 32, 3), generator=torch.Generator().manual_seed(2)).to(torch.uint8)
    return Images(pixels, torch.arange(20) % 10, torch.full((3,), 0.5), torch.full((3,), 0.25))


def test_norms_of_an_epoch_of_one_step_are_those_that_the_method_itself_watches() -> None:
    method = get("akt")
    given = setup(method, steps=1, options=OPTIONS)
    source, track = method.source(given), Track("id", given, method.learner(given))
    for step in given.schedule.walk():
        batch = source.draw(step, track.learner.student())
        track.learn(step, batch, source.losses())
        track.end_epoch(step, few_images(), drawn=0.0)
    warmup, train = track.epochs
    assert "gradient_norms" not in warmup
    assert len(train["gradient_norms"]) == 22
    watched = {name.removeprefix("gradient/"): norm for name, norm in train["watched"].items()}
    assert train["gradient_norms"] == pytest.approx(watched, rel=1e-3)


def test_reading_norms_changes_neither_parameters_nor_gradients() -> None:
    model = network()
    model(torch.ones(2, 3, 32, 32)).sum().backward()
    before = snapshot(model)
    gradients = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    assert gradient_norms(model) == gradient_norms(model)
    assert not changed(before, model)
    after = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert all(torch.equal(one, other) for one, other in zip(gradients, after, strict=True))


def test_a_layer_without_a_gradient_is_left_out_and_an_endless_norm_is_none() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Conv2d(1, 1, 1))
    model[0].weight.grad = torch.full((2, 2), 3.0)
    model[1].weight.grad = torch.full((2, 2), math.inf)
    assert gradient_norms(model) == {"0": 6.0, "1": None}

"""Full-precision training: augmented batches, the one-cycle rate, and a learner that learns and resumes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny import changed, run, setup, snapshot, stored
from torch import Tensor, nn

from bench.method import Setup, version_of
from bench.schedule import Phase
from methods.parts.images import PADDING, LabelledImages
from methods.pretrain import Pretrain, Pretraining

COUNT = 20
IMAGES = torch.randint(256, (COUNT, 32, 32, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
LABELS = torch.arange(COUNT) % 10


def small(role: str) -> nn.Module:
    """A network that learns quickly, initialised from the global stream."""
    assert role == "new"
    layers = [nn.Conv2d(3, 8, 3, 4, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 10)]
    return nn.Sequential(*layers)


def given(epochs: int = 2, batch: int = 6, **changes: Any) -> Setup:
    return setup(
        Pretrain(),
        "32",
        batch=batch,
        steps=None,
        phases=(Phase("train", epochs),),
        model=small,
        training=lambda: (IMAGES, LABELS),
        **changes,
    )


def sized(**changes: Any) -> Setup:
    unsized = given(**changes)
    unsized.schedule = unsized.schedule.sized(COUNT)
    return unsized


def raw(normalised: Tensor, told: Setup) -> Tensor:
    """Normalised images (B, 3, H, W) as uint8 (B, H, W, 3) again."""
    pixels = (normalised.permute(0, 2, 3, 1) * torch.tensor(told.std) + torch.tensor(told.mean)) * 255
    assert float((pixels - pixels.round()).abs().max()) < 1e-2
    return pixels.round().to(torch.uint8)


def placement(crop: Tensor, original: Tensor) -> tuple[int, int, bool]:
    """Offset and flip by which a crop (32, 32, 3) came from a padded original."""
    padded = torch.zeros(32 + 2 * PADDING, 32 + 2 * PADDING, 3, dtype=torch.uint8)
    padded[PADDING:-PADDING, PADDING:-PADDING] = original
    for top in range(2 * PADDING + 1):
        for left in range(2 * PADDING + 1):
            window = padded[top : top + 32, left : left + 32]
            for flip in (False, True):
                if torch.equal(crop, window.flip(1) if flip else window):
                    return top, left, flip
    raise AssertionError("not a crop of its image")


def test_batches_are_normalised_crops_and_flips_of_their_images() -> None:
    told = sized(batch=10)
    source, seen = LabelledImages(told), set()
    for index in range(4):
        order_before = source.order[source.next : source.next + 10]
        batch = source.draw(told.schedule.step(index), nn.Identity())
        chosen = order_before if index % 2 else source.order[:10]
        assert torch.equal(batch.labels, LABELS[chosen])
        crops = raw(batch.images, told)
        seen |= {placement(crop, IMAGES[i]) for crop, i in zip(crops, chosen, strict=True)}
    tops, lefts, flips = ({place[axis] for place in seen} for axis in range(3))
    assert (min(tops), max(tops), min(lefts), max(lefts)) == (0, 8, 0, 8)
    assert flips == {False, True}


def test_an_epoch_sees_every_image_once_but_for_a_partial_batch_and_then_shuffles_again() -> None:
    told = sized(batch=6)
    source = LabelledImages(told)
    assert told.schedule.steps == 3
    orders = []
    for epoch in range(2):
        for within in range(3):
            assert len(source.draw(told.schedule.step(3 * epoch + within), nn.Identity()).labels) == 6
        orders.append(source.order.tolist())
        assert sorted(orders[-1]) == list(range(COUNT))
    assert orders[0] != orders[1]


def test_more_steps_than_images_start_another_pass() -> None:
    told = setup(Pretrain(), "32", batch=8, steps=5, training=lambda: (IMAGES, LABELS))
    source = LabelledImages(told)
    batches = [source.draw(step, nn.Identity()) for step in told.schedule.walk()]
    assert [len(batch.labels) for batch in batches] == [8] * 5


def test_a_source_continues_in_the_middle_of_an_epoch() -> None:
    told = sized()
    source = LabelledImages(told)
    source.draw(told.schedule.step(0), nn.Identity())
    state = stored(source)
    again = LabelledImages(told)
    again.load(state)
    for index in (1, 2, 3, 4):
        batches = [s.draw(told.schedule.step(index), nn.Identity()) for s in (source, again)]
        assert torch.equal(batches[0].images, batches[1].images)
        assert torch.equal(batches[0].labels, batches[1].labels)


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nearly_nothing() -> None:
    told = sized(epochs=10, batch=2)
    source, learner = Pretrain().source(told), Pretraining(told)
    rates = []
    for step in told.schedule.walk():
        learner.learn(step, source.draw(step, learner.student()))
        assert len({group["lr"] for group in learner.sgd.param_groups}) == 1
        rates.append(learner.sgd.param_groups[0]["lr"])
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.2, rel=0.01)
    assert top == pytest.approx(0.2 * len(rates), abs=1)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[0] < 0.01 * 0.2 + 1e-9
    assert 0 < rates[-1] <= 0.2 * 0.0126


def test_weight_decay_spares_biases_and_batch_norms() -> None:
    decayed, spared = Pretraining(sized()).sgd.param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (5e-4, 0)
    assert [p.ndim for p in decayed["params"]] == [4, 2]
    assert [p.ndim for p in spared["params"]] == [1, 1, 1]
    assert (decayed["momentum"], decayed["nesterov"]) == (0.9, True)


def test_training_learns_its_images() -> None:
    colours = torch.tensor([20, 230], dtype=torch.uint8)[(LABELS[:, None] % 4 == torch.arange(3)).long()]
    told = sized(epochs=40, batch=20, options={"peak": 0.05})
    told.images = lambda: (colours[:, None, None].expand(-1, 32, 32, -1), LABELS % 4)
    source, learner = Pretrain().source(told), Pretraining(told)
    losses = [float(learner.learn(s, source.draw(s, learner.student()))["cross_entropy"]) for s in told.schedule.walk()]
    assert sum(losses[-5:]) < 0.3 * sum(losses[:5])


def test_a_run_continued_from_its_stored_state_ends_bit_for_bit_the_same() -> None:
    told = sized()
    source, learner = Pretrain().source(told), Pretrain().learner(told)
    run(told, source, learner, stop=2)
    states = stored(source), stored(learner)
    run(told, source, learner, start=2)
    source_again, again = Pretrain().source(told), Pretrain().learner(told)
    source_again.load(states[0])
    again.load(states[1])
    run(told, source_again, again, start=2)
    assert changed(snapshot(learner.student()), again.student()) == set()


def test_evaluating_between_steps_changes_neither_the_model_nor_what_follows() -> None:
    told = sized()
    ends = []
    for evaluates in (False, True):
        source, learner = Pretrain().source(told), Pretraining(told)
        for step in told.schedule.walk():
            learner.learn(step, source.draw(step, learner.student()))
            if evaluates:
                before = snapshot(learner.student())
                learner.student()(torch.randn(5, 3, 32, 32))
                assert changed(before, learner.student()) == set()
        ends.append(snapshot(learner.student()))
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_batch_norm_learns_its_statistics_in_training() -> None:
    told = sized()
    source, learner = Pretrain().source(told), Pretraining(told)
    before = snapshot(learner.student())
    run(told, source, learner, stop=1)
    assert {"1.running_mean", "1.running_var"} <= changed(before, learner.student())
    assert not any(m.training for m in learner.student().modules())


def test_the_seed_alone_decides_the_first_weights() -> None:
    first, same, other = (snapshot(Pretraining(sized(seed=seed)).student()) for seed in (0, 0, 1))
    assert torch.equal(first["0.weight"], same["0.weight"])
    assert not torch.equal(first["0.weight"], other["0.weight"])


def test_pretraining_declares_that_it_sees_training_images_and_quantizes_nothing() -> None:
    card = Pretrain.card
    assert (card.data, card.quantizes, card.feedback, version_of(Pretrain(), {})) == (
        "train",
        False,
        False,
        "pretrain-2",
    )

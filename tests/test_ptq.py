"""Post-training quantization: ranges are calibrated, from generated or real images, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
from tiny import changed, denied, images, network, run, setup, snapshot, stored
from torch import Tensor

from bench.errors import DataAccessDenied
from bench.method import settled, version_of
from bench.quant.layers import QuantizedActivation
from methods.gdfq import GDFQ
from methods.ptq import FEW, PTQ

COUNT = 1500
REAL = {"images": "real"}


def training() -> tuple[Tensor, Tensor]:
    """Images that are grey at a level of their own, with labels that number them."""
    levels = (torch.arange(COUNT) % 256).to(torch.uint8)
    return levels[:, None, None, None].expand(COUNT, 32, 32, 3).contiguous(), torch.arange(COUNT) % 10


def test_the_schedule_is_the_warm_up_of_gdfq_and_nothing_else() -> None:
    (phase,) = PTQ.card.schedule.phases
    assert phase == GDFQ.card.schedule.phases[0]
    assert (PTQ.card.schedule.batch, PTQ.card.schedule.steps) == (GDFQ.card.schedule.batch, GDFQ.card.schedule.steps)
    assert [PTQ.card.schedule.named(name).epochs for name in ("paper", "quick", "smoke")] == [4, 1, 2]


@pytest.mark.parametrize("options", [{}, REAL], ids=["generated", "real"])
def test_ranges_move_and_nothing_else(options: dict[str, str]) -> None:
    given = setup(PTQ(), options=options, training=training if options else denied)
    source, learner = PTQ().source(given), PTQ().learner(given)
    before = snapshot(learner.student())
    run(given, source, learner)
    moved = changed(before, learner.student())
    assert {name.split(".range.")[-1] for name in moved} <= {"lo", "hi", "weight"}
    assert sum(name.endswith(".range.hi") for name in moved) == 19
    for name, tensor in network().state_dict().items():
        assert torch.equal(learner.student().state_dict()[name], tensor)


def test_ranges_from_generated_images_are_gdfqs_after_its_warm_up() -> None:
    given, gdfq = setup(PTQ()), setup(GDFQ())
    learner, other = PTQ().learner(given), GDFQ().learner(gdfq)
    run(given, PTQ().source(given), learner)
    run(gdfq, GDFQ().source(gdfq), other, stop=2)
    assert changed(snapshot(learner.student()), other.student()) == set()


def test_ranges_from_real_images_are_those_of_the_batches_drawn() -> None:
    given = setup(PTQ(), options=REAL | {"ranges": "corrected"}, training=training)
    source, learner = PTQ().source(given), PTQ().learner(given)
    first = next(m for m in learner.student().modules() if isinstance(m, QuantizedActivation))
    tops: list[Tensor] = []
    first.function.register_forward_hook(lambda module, x, y: tops.append(y.max()))
    run(given, source, learner)
    torch.testing.assert_close(first.range.bounds()[1], (0.09 * tops[0] + 0.1 * tops[1]) / (1 - 0.9**2))
    assert len(tops) == 2


def test_data_access_follows_the_option() -> None:
    assert settled(PTQ(), {}).data == "none"
    assert settled(PTQ(), REAL).data == "calibration"
    PTQ().source(setup(PTQ()))
    with pytest.raises(DataAccessDenied):
        PTQ().source(setup(PTQ(), options=REAL))


def test_few_real_images_are_seen_and_the_seed_chooses_them() -> None:
    def seen(seed: int) -> Tensor:
        return PTQ().source(setup(PTQ(), options=REAL, training=training, seed=seed)).images

    assert len(seen(0)) == FEW == 1024
    assert torch.equal(seen(0), seen(0))
    assert not torch.equal(seen(0), seen(1))


def test_version_names_the_generators_method_where_it_is_used() -> None:
    assert version_of(PTQ(), {}) == "ptq-1+gdfq-3"
    assert version_of(PTQ(), REAL) == "ptq-1"


@pytest.mark.parametrize("options", [{}, REAL], ids=["generated", "real"])
def test_a_run_continued_from_its_stored_state_ends_bit_for_bit_the_same(options: dict[str, str]) -> None:
    given = setup(PTQ(), options=options, training=training, steps=3)
    source, learner = PTQ().source(given), PTQ().learner(given)
    run(given, source, learner, stop=2)
    states = stored(source), stored(learner)
    run(given, source, learner, start=2)
    again, other = PTQ().source(given), PTQ().learner(given)
    again.load(states[0])
    other.load(states[1])
    run(given, again, other, start=2)
    assert changed(snapshot(learner.student()), other.student()) == set()


def test_losses_say_how_good_the_ranges_are() -> None:
    given = setup(PTQ())
    source, learner = PTQ().source(given), PTQ().learner(given)
    losses = learner.learn(given.schedule.step(0), source.draw(given.schedule.step(0), learner.student()))
    assert list(losses) == ["cross_entropy"]
    assert not losses["cross_entropy"].requires_grad
    assert learner.student()(images()).isfinite().all()

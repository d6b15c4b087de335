"""Fine-tuning on labelled images: an iteration against a plain one, ranges, rates and what moves."""

from __future__ import annotations

import pytest
import torch
import transcription
from iterations import exact, movement
from tiny import changed, run, setup, snapshot, stored
from torch import Tensor
from torch.nn.functional import cross_entropy

from bench.errors import DataAccessDenied
from bench.method import Setup
from bench.quant.layers import QuantizedActivation
from methods.finetune import FineTuning, LabelledStudent
from methods.parts.images import LabelledImages

COUNT = 12
IMAGES = torch.randint(256, (COUNT, 32, 32, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
LABELS = torch.arange(COUNT) % 10


def given(**changes: object) -> Setup:
    return setup(FineTuning(), training=lambda: (IMAGES, LABELS), **{"milestones": (1,)} | changes)


def halves(told: Setup) -> tuple[LabelledImages, LabelledStudent]:
    return FineTuning().source(told), FineTuning().learner(told)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("rule", ["published", "corrected"])
def test_iterations_equal_a_plain_program(rule: str) -> None:
    """Two steps of warm-up, and two of training after a decay of the learning rate."""
    told = given(options={"ranges": rule}, model=exact)
    source, learner = halves(told)
    theirs = transcription.quantized(exact("init"), 4, 4, rule == "published").eval()
    sgd = torch.optim.SGD(theirs.parameters(), lr=1e-4, momentum=0.9, nesterov=True, weight_decay=1e-4)
    start = snapshot(learner.student())
    for step in told.schedule.walk():
        batch = source.draw(step, learner.student())
        learned = learner.learn(step, batch)
        for module in theirs.modules():
            if isinstance(module, transcription.QuantAct):
                module.running = step.epoch == 0
        loss = transcription.cross_entropy(theirs(batch.images), batch.labels)
        torch.testing.assert_close(learned["cross_entropy"], loss.detach(), rtol=1e-6, atol=1e-8)  # ranges are float32
        if step.epoch == 1:
            sgd.zero_grad()
            loss.backward()
            sgd.step()

    others = dict(theirs.named_parameters())
    for name, moved in movement(start, learner.student()).items():
        other = others[name].detach() - start[name]
        torch.testing.assert_close(moved, other, rtol=0, atol=1e-5)
        assert float(other.norm()) > 0
        assert float((moved - other).norm()) <= 1e-3 * float(other.norm()), name  # updates are far below 1e-5


def test_ranges_move_in_the_warm_up_and_parameters_after_it() -> None:
    told = given()
    source, learner = halves(told)
    start = snapshot(learner.student())
    run(told, source, learner, stop=2)
    warm = snapshot(learner.student())
    assert {name.split(".range.")[-1] for name in changed(start, learner.student())} <= {"lo", "hi", "weight"}
    run(told, source, learner, start=2)
    parameters = {name for name, _ in learner.student().named_parameters()}
    assert changed(warm, learner.student()) == parameters
    assert sum(name.endswith((".bn.weight", ".bn.bias")) for name in parameters) == 2 * 21
    assert not any(m.training for m in learner.student().modules())


def test_training_lowers_the_loss_on_what_it_sees() -> None:
    told = given(batch=12, steps=12, milestones=())
    source, learner = halves(told)
    run(told, source, learner, stop=12)
    fixed = source.draw(told.schedule.step(12), learner.student())

    def loss() -> Tensor:
        with torch.no_grad():
            return cross_entropy(learner.student()(fixed.images), fixed.labels)

    before = loss()
    run(told, source, learner, start=12)
    assert float(loss()) < float(before)


def test_schedule_and_rates() -> None:
    schedule = FineTuning.card.schedule
    assert [(phase.name, phase.epochs, phase.updates) for phase in schedule.phases] == [
        ("warmup", 1, False),
        ("train", 99, True),
    ]
    assert schedule.sized(50_000).steps == 390
    assert [phase.epochs for phase in schedule.named("quick").phases] == [1, 3]
    sgd = halves(given())[1].sgd.param_groups[0]
    assert (sgd["lr"], sgd["momentum"], sgd["nesterov"], sgd["weight_decay"]) == (1e-3, 0.9, True, 1e-4)


def test_it_needs_the_training_images() -> None:
    assert FineTuning.card.data == "train"
    with pytest.raises(DataAccessDenied):
        FineTuning().source(setup(FineTuning()))


def test_a_run_continued_from_its_stored_state_ends_bit_for_bit_the_same() -> None:
    told = given(steps=3)
    source, learner = halves(told)
    run(told, source, learner, stop=4)
    states = stored(source), stored(learner)
    run(told, source, learner, start=4)
    again, other = halves(told)
    again.load(states[0])
    other.load(states[1])
    run(told, again, other, start=4)
    assert changed(snapshot(learner.student()), other.student()) == set()


def test_a_group_ends_as_if_each_had_run_alone() -> None:
    told = given(bits="W3A3")
    source, three = halves(told)
    four = FineTuning().learner(given(bits="W4A4"))
    run(told, source, three, four)
    for bits, learner in (("W3A3", three), ("W4A4", four)):
        alone = given(bits=bits)
        own_source, own = halves(alone)
        run(alone, own_source, own)
        assert changed(snapshot(own.student()), learner.student()) == set()
    assert {m.bits for m in four.student().modules() if isinstance(m, QuantizedActivation)} == {4}

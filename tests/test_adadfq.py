"""AdaDFQ: losses against test vectors, whole iterations against a transcription, and its options."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from iterations import assert_equal_iterations, exact, program
from tiny import changed, images, network, run, setup, snapshot, stored, student
from torch import Tensor
from torch.nn.functional import cross_entropy
from transcription_adadfq import AdaDFQProgram

from bench.errors import OptionInvalid
from bench.method import Setup, settled
from bench.quant.layers import QuantizedActivation
from methods.adadfq import AdaDFQ, AdaDFQStudent, AdaptiveImages, entropy, excess, margin

TUTOR = torch.tensor([[2, 0.5, -1, 0], [0.1, 3, 0.2, -0.5], [1, 1.2, 0.8, -2]])
STUDENT = torch.tensor([[1.5, 0.7, -0.5, 0.2], [0.4, 2, 0.1, 0.3], [0.2, 1.9, 0.5, -1]])
LABELS = torch.tensor([0, 1, 1])


def halves(given: Setup) -> tuple[AdaptiveImages, AdaDFQStudent]:
    return AdaDFQ().source(given), AdaDFQ().learner(given)


def test_generator_losses_have_the_published_programs_values() -> None:
    h = entropy(TUTOR - STUDENT)
    torch.testing.assert_close(h, torch.tensor([1.309372, 1.163955, 1.159555]), rtol=0, atol=1e-5)
    disagreement, agreement = cross_entropy(TUTOR - STUDENT, LABELS), cross_entropy(TUTOR + STUDENT, LABELS)
    assert (float(disagreement), float(agreement)) == pytest.approx((1.220628, 0.145087), abs=1e-5)
    assert float(margin(h, math.log(4), 0.1, 0.8)) == pytest.approx(0.060198, abs=1e-5)


def test_student_loss_is_the_excess_over_its_bound() -> None:
    found = float(excess(TUTOR, STUDENT, 20.0))
    assert found == pytest.approx(0.1847, abs=2e-4)
    assert found - 400 * math.log(4) == pytest.approx(-554.33301, abs=1e-3)
    assert float(excess(TUTOR, TUTOR + 3, 20.0)) == pytest.approx(0, abs=1e-3)


def test_margin_is_finite_with_a_finite_gradient_where_student_equals_tutor() -> None:
    logits = torch.zeros(5, 10, requires_grad=True)
    found = margin(entropy(logits), math.log(10), 0.1, 0.8)
    found.backward()
    assert math.isfinite(float(found.detach()))
    assert logits.grad.isfinite().all()


def test_margin_counts_the_least_entropy_as_nought() -> None:
    assert float(margin(torch.tensor([0.5, 1.0, 2.0]), 2.5, 0.1, 0.8)) == pytest.approx(0.1 / 3)
    assert float(margin(torch.tensor([0.5, 1.0, 2.5]), 2.5, 0.1, 0.8)) == pytest.approx(0.1 / 3 + 0.2 / 3)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("rule", ["published", "corrected"])
def test_iterations_equal_the_transcription(rule: str) -> None:
    given = setup(AdaDFQ(), batch=4, milestones=(1,), options={"ranges": rule}, model=exact)
    assert_equal_iterations(AdaDFQ(), given, program(given, rule == "published", AdaDFQProgram))


def without_gradient_through_the_student(given: Setup) -> Tensor:
    """The generator's gradient if the student's logits were constants."""
    source = AdaDFQ().source(given)
    model = student()

    class Detached(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return model(x).detach()

    source.draw(given.schedule.step(given.schedule.total - 1), Detached())
    return source.generator.project.weight.grad


def test_the_generator_learns_through_the_student_and_leaves_no_gradient_in_it() -> None:
    given = setup(AdaDFQ())
    source, model = AdaDFQ().source(given), student()
    source.draw(given.schedule.step(given.schedule.total - 1), model)
    assert all(p.grad is None for p in model.parameters())
    assert all(p.grad is None for p in source.tutor.parameters())
    assert not torch.allclose(source.generator.project.weight.grad, without_gradient_through_the_student(given))


def test_the_answer_of_a_batch_leads_back_to_the_student_and_no_further_than_the_images() -> None:
    given = setup(AdaDFQ())
    source, learner = halves(given)
    run(given, source, learner, stop=2)
    batch = source.draw(given.schedule.step(2), learner.student())
    assert batch.answer is not None
    torch.testing.assert_close(batch.answer, learner.student()(batch.images))
    source.generator.zero_grad()
    batch.answer.square().sum().backward()
    assert all(p.grad is None for p in source.generator.parameters())
    assert all(p.grad is None for p in source.tutor.parameters())
    assert all(p.grad is not None for p in learner.student().parameters())


def test_the_student_runs_once_a_step_in_training_and_twice_in_the_warm_up() -> None:
    given = setup(AdaDFQ(), steps=2)
    source, learner = halves(given)
    passes: list[int] = []
    learner.student().register_forward_hook(lambda *_: passes.append(1))
    run(given, source, learner, stop=2)
    assert len(passes) == 2 * 2
    run(given, source, learner, start=2)
    assert len(passes) == 2 * 2 + 2


def test_ranges_take_two_observations_a_step_in_the_warm_up_and_none_after() -> None:
    given = setup(AdaDFQ(), steps=3)
    source, learner = halves(given)
    ranges = [m.range for m in learner.student().modules() if isinstance(m, QuantizedActivation)]
    run(given, source, learner, stop=3)
    assert {round(math.log(float(r.weight), 0.9)) for r in ranges} == {6}
    before = [r.bounds() for r in ranges]
    run(given, source, learner, start=3)
    assert [r.bounds() for r in ranges] == before


def test_labels_do_not_reach_the_student() -> None:
    given = setup(AdaDFQ(), steps=1)
    ends = []
    for shift in (0, 1):
        source, learner = halves(given)
        for step in given.schedule.walk():
            batch = source.draw(step, learner.student())
            learner.learn(step, replace(batch, labels=(batch.labels + shift) % 10))
        ends.append(snapshot(learner.student()))
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_a_run_continued_from_its_stored_state_ends_bit_for_bit_the_same() -> None:
    given = setup(AdaDFQ(), batch=3)
    source, learner = halves(given)
    run(given, source, learner, stop=3)
    states = stored(source), stored(learner)
    run(given, source, learner, start=3)
    again, student_again = halves(given)
    again.load(states[0])
    student_again.load(states[1])
    run(given, again, student_again, start=3)
    assert changed(snapshot(learner.student()), student_again.student()) == set()
    assert changed(snapshot(source.generator), again.generator) == set()


def test_schedule_follows_batch_and_epochs() -> None:
    as_published = settled(AdaDFQ(), {}).schedule
    assert (as_published.batch, as_published.epochs, as_published.steps) == (16, 400, 200)
    control = settled(AdaDFQ(), {"batch": 200, "epochs": 200}).schedule
    assert (control.batch, control.epochs, control.phases[0].epochs) == (200, 200, 4)
    assert [control.decay(e) for e in (99, 100, 199)] == pytest.approx([1, 0.1, 0.1])
    assert (as_published.named("quick").epochs, control.named("quick").epochs) == (16, 8)


@pytest.mark.parametrize("options", [{"epochs": 4}, {"batch": 1}])
def test_a_schedule_without_training_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(OptionInvalid, match="epochs must be above 4"):
        settled(AdaDFQ(), options)


def test_the_student_is_evaluated_as_it_stands() -> None:
    given = setup(AdaDFQ())
    source, learner = halves(given)
    run(given, source, learner)
    before = snapshot(learner.student())
    learner.student()(images())
    assert changed(before, learner.student()) == set()
    frozen = {n for n in before if "running" in n}
    assert all(torch.equal(before[n], network().state_dict()[n]) for n in frozen)

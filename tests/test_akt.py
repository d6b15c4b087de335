"""AKT: its distance against test vectors, form 0 against its bases, whole iterations, and where gradients go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from iterations import assert_equal_iterations, exact, program
from tiny import changed, network, run, setup, snapshot, stored
from torch import Tensor
from transcription_adadfq import AdaDFQProgram, akt_features

from bench.errors import OptionInvalid
from bench.method import Method, Setup, options_of, settled, version_of
from methods.akt import AKT, BASES, attention_divergence
from methods.parts.attention import channel_softmax, spatial_energy

N = torch.arange(24.0)
TUTOR, STUDENT = torch.sin(N).view(2, 3, 2, 2), torch.cos(0.7 * N).view(2, 3, 2, 2)
EVERY_BASE = pytest.mark.parametrize("base", ["gdfq", "hast", "adadfq"])


def test_divergences_have_the_published_programs_values() -> None:
    along = float(attention_divergence(channel_softmax(TUTOR), channel_softmax(STUDENT), 8))
    across = float(attention_divergence(spatial_energy(TUTOR), spatial_energy(STUDENT), 8))
    assert along == pytest.approx(9.2089e-6, abs=2e-7)
    assert across == pytest.approx(7.03901e-4, rel=1e-3)
    assert 1000 * (along + across) == pytest.approx(0.713110, rel=1e-3)


@pytest.mark.usefixtures("double")
def test_divergences_have_their_exact_values() -> None:
    tutor, student = (f(N.double()).view(2, 3, 2, 2) for f in (torch.sin, lambda n: torch.cos(0.7 * n)))
    along = float(attention_divergence(channel_softmax(tutor), channel_softmax(student), 8))
    across = float(attention_divergence(spatial_energy(tutor), spatial_energy(student), 8))
    assert 1000 * (along + across) == pytest.approx(0.7128834979, abs=1e-8)


def bodies() -> list[str]:
    return [name for name, _ in network().named_modules() if name.endswith("body")]


@pytest.mark.usefixtures("double")
def test_iterations_over_adadfq_equal_the_transcription() -> None:
    given = setup(AKT(), batch=4, milestones=(1,), options={"ranges": "corrected"}, model=exact)
    assert len(bodies()) == 9
    theirs = program(given, False, AdaDFQProgram, features=akt_features, weight=1000.0, taps=bodies())
    assert_equal_iterations(AKT(), given, theirs)


def course(method: Method, given: Setup) -> dict[str, Tensor]:
    """The student and, where there is one, the generator at the end."""
    source, learner = method.source(given), method.learner(given)
    run(given, source, learner)
    ends = snapshot(learner.student())
    generator = getattr(source, "generator", None)
    return ends | ({f"generator.{k}": v for k, v in snapshot(generator).items()} if generator else {})


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@EVERY_BASE
def test_form_0_equals_its_base_at_the_same_batch_and_epochs_and_form_1_does_not(base: str) -> None:
    ends = [course(AKT(), setup(AKT(), batch=4, options={"base": base, "form": form})) for form in (0, 1)]
    plain = course(BASES[base], setup(BASES[base], batch=4))
    assert [same(end, plain) for end in ends] == [True, False]


@EVERY_BASE
def test_over_each_base_the_feature_loss_is_there_and_positive(base: str) -> None:
    given = setup(AKT(), options={"base": base}, steps=1)
    source, learner = AKT().source(given), AKT().learner(given)
    for step in given.schedule.walk():
        losses = learner.learn(step, source.draw(step, learner.student()))
    assert float(losses["features"]) > 0


def test_form_2_is_the_average_of_the_papers_equation() -> None:
    losses = {}
    for form in (0, 1, 2):
        given = setup(AKT(), options={"form": form}, steps=1)
        source, learner = AKT().source(given), AKT().learner(given)
        step = given.schedule.step(0)
        losses[form] = learner.learn(step, source.draw(step, learner.student()))
    assert float(losses[2]["disagreement"]) == pytest.approx(0.5 * float(losses[0]["disagreement"]), rel=1e-5)
    mean = float(losses[1]["features"]) / (9 * given.schedule.batch)
    assert float(losses[2]["features"]) == pytest.approx(0.5 * mean, rel=1e-4)


@pytest.mark.parametrize("base", ["gdfq", "adadfq"])
def test_the_feature_loss_gives_no_gradient_to_tutor_or_generator(base: str) -> None:
    given = setup(AKT(), options={"base": base}, steps=1)
    source, learner = AKT().source(given), AKT().learner(given)
    run(given, source, learner, stop=1)
    batch = source.draw(given.schedule.step(1), learner.student())
    gradients = [p.grad.clone() for p in source.generator.parameters()]
    assert len(batch.features) == 9
    assert not any(map.requires_grad for map in batch.features)
    learner.learn(given.schedule.step(1), batch)
    after = [p.grad for p in source.generator.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(gradients, after, strict=True))
    assert all(p.grad is None for p in source.tutor.parameters())


def test_the_pass_that_the_generator_learned_from_serves_the_student_as_one_of_its_own_would() -> None:
    given = setup(AKT(), steps=1)
    step, ends = given.schedule.step(1), []
    for again in (False, True):
        source, learner = AKT().source(given), AKT().learner(given)
        run(given, source, learner, stop=1)
        batch = source.draw(step, learner.student())
        assert batch.answer is not None
        told = learner.learn(step, replace(batch, answer=None) if again else batch)
        assert float(told["features"]) > 0.1
        ends.append({**told, **learner.student().state_dict(), **source.generator.state_dict()})
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_gradient_norms_of_every_layer_are_watched_in_training() -> None:
    given = setup(AKT(), steps=1)
    source, learner = AKT().source(given), AKT().learner(given)
    run(given, source, learner, stop=1)
    assert learner.watched() == {}
    run(given, source, learner, start=1)
    norms = learner.watched()
    assert len(norms) == 22
    for name, module in learner.student().named_modules():
        if f"gradient/{name}" in norms:
            torch.testing.assert_close(norms[f"gradient/{name}"], module.weight.grad.norm())


@EVERY_BASE
def test_a_run_continued_from_its_stored_state_ends_bit_for_bit_the_same(base: str) -> None:
    given = setup(AKT(), batch=3, options={"base": base})
    source, learner = AKT().source(given), AKT().learner(given)
    run(given, source, learner, stop=3)
    states = stored(source), stored(learner)
    run(given, source, learner, start=3)
    again, student_again = AKT().source(given), AKT().learner(given)
    again.load(states[0])
    student_again.load(states[1])
    run(given, again, student_again, start=3)
    assert changed(snapshot(learner.student()), student_again.student()) == set()


@pytest.mark.parametrize(
    ("base", "batch", "epochs", "feedback"),
    [("adadfq", 200, 200, True), ("gdfq", 200, 400, False), ("hast", 64, 151, False)],
)
def test_schedule_version_and_feedback_are_the_bases(base: str, batch: int, epochs: int, feedback: bool) -> None:
    card = settled(AKT(), {"base": base})
    assert (card.schedule.batch, card.schedule.epochs, card.feedback) == (batch, epochs, feedback)
    assert version_of(AKT(), {"base": base}).startswith(f"akt-2+{base}-")
    longer: dict[str, Any] = {"base": base, "batch": 32, "epochs": 10}
    assert settled(AKT(), longer).schedule.epochs == 10
    assert settled(AKT(), longer).schedule.batch == 32


def test_options_are_checked() -> None:
    with pytest.raises(OptionInvalid, match="option base of akt must be one of 'gdfq', 'hast', 'adadfq'"):
        options_of(AKT.card, {"base": "bag"})
    assert replace(options_of(AKT.card, {}), form=0).form == 0

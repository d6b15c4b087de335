"""BAG: attention distances against test vectors, the quantized generator, whole iterations, controls."""

from __future__ import annotations

import pytest
import torch
from iterations import assert_equal_iterations, exact, program
from tiny import changed, network, run, setup, snapshot, stored
from torch import Tensor, nn
from transcription_adadfq import AdaDFQProgram, bag_features, quantized_generator

from bench.method import Setup, version_of
from bench.quant.census import take
from bench.quant.layers import QuantizedActivation, QuantizedWeight
from bench.spec import Bits
from methods.adadfq import AdaDFQ
from methods.bag import ATTENTION, BAG, BalancedImages, quantize_generator
from methods.parts.generator import LATENT, Generator

N = torch.arange(24.0)
TUTOR, STUDENT = torch.sin(N).view(2, 3, 2, 2), torch.cos(0.7 * N).view(2, 3, 2, 2)


@pytest.mark.parametrize(
    ("form", "expected"), [("CA-a", 0.00706739), ("CA-b", 0.617465), ("CA-c", 0.00262424), ("CA-d", 0.157963)]
)
def test_distances_have_their_values(form: str, expected: float) -> None:
    assert float(ATTENTION[form](TUTOR, STUDENT)) == pytest.approx(expected, rel=1e-5)
    assert float(ATTENTION[form](TUTOR, TUTOR)) == pytest.approx(0, abs=1e-7)


def convolutions() -> list[str]:
    return [name for name, m in network().named_modules() if isinstance(m, nn.Conv2d)]


def bodies() -> list[str]:
    return [name for name, _ in network().named_modules() if name.endswith("body")]


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(
    ("taps", "generator", "weight"),
    [("T21", "weights+activations", 50 * 9 / 21), ("T9", "none", 50.0)],
)
def test_iterations_equal_the_transcription(taps: str, generator: str, weight: float) -> None:
    chosen = {"taps": taps, "generator": generator, "ranges": "corrected"}
    given = setup(BAG(), "W4A4", batch=4, milestones=(1,), options=chosen, model=exact)
    names = convolutions() if taps == "T21" else bodies()
    theirs = program(
        given,
        False,
        AdaDFQProgram,
        (lambda g: quantized_generator(g, 4)) if generator != "none" else (lambda g: g),
        features=bag_features,
        weight=weight,
        taps=names,
    )
    assert_equal_iterations(BAG(), given, theirs)


def levels(x: Tensor) -> int:
    return len(torch.unique(x))


@pytest.mark.parametrize(("activations", "quantizers"), [(True, 2), (False, 0)])
def test_the_generator_has_the_students_bits(activations: bool, quantizers: int) -> None:
    generator = Generator(10)
    quantize_generator(generator, Bits(3, 4), activations)
    weights = [m for m in generator.modules() if isinstance(m, QuantizedWeight)]
    assert len(weights) == 4
    for layer in weights:
        assert max(levels(channel) for channel in layer.quantized_weight().flatten(1)) <= 8
    found = [m for m in generator.modules() if isinstance(m, QuantizedActivation)]
    assert len(found) == quantizers
    outputs: list[Tensor] = []
    for quantizer in found:
        quantizer.register_forward_hook(lambda m, given, output: outputs.append(output))
    generator(torch.randn(3, LATENT), torch.arange(3))
    assert all(levels(output) <= 16 and float(output.detach().min()) < 0 for output in outputs)
    assert len(outputs) == quantizers


def test_generator_ranges_never_freeze() -> None:
    given = setup(BAG(), steps=2)
    source, learner = BAG().source(given), BAG().learner(given)
    run(given, source, learner, stop=2)
    tracked = [m.range for m in source.generator.modules() if isinstance(m, QuantizedActivation)]
    before = [float(r.bounds()[1]) for r in tracked]
    run(given, source, learner, start=2)
    assert len(before) == 2
    assert all(float(r.bounds()[1]) != value for r, value in zip(tracked, before, strict=True))


def ends(given: Setup, method: AdaDFQ) -> dict[str, Tensor]:
    source, learner = method.source(given), method.learner(given)
    run(given, source, learner)
    return snapshot(learner.student())


def test_without_its_parts_it_is_adadfq_and_each_part_alone_changes_it() -> None:
    both_off = {"generator": "none", "attention": "none"}
    plain = ends(setup(AdaDFQ()), AdaDFQ())
    found = [
        ends(setup(BAG(), options=options), BAG())
        for options in (both_off, both_off | {"generator": "weights"}, both_off | {"attention": "CA-a"}, {})
    ]
    same = [all(torch.equal(plain[name], end[name]) for name in plain) for end in found]
    assert same == [True, False, False, False]


@pytest.mark.parametrize("strength", [0.3, 3.0])
def test_attention_is_weighed_by_classes_taps_and_strength(strength: float) -> None:
    found = {}
    for key in (1.0, strength):
        given = setup(BAG(), options={"strength": key, "generator": "none"}, steps=1)
        source, learner = BAG().source(given), BAG().learner(given)
        step = given.schedule.step(0)
        found[key] = float(learner.learn(step, source.draw(step, learner.student()))["attention"])
    assert found[strength] == pytest.approx(strength * found[1.0], rel=1e-4)


def test_attention_gives_no_gradient_to_tutor_or_generator() -> None:
    given = setup(BAG(), steps=1)
    source, learner = BAG().source(given), BAG().learner(given)
    run(given, source, learner, stop=1)
    step = given.schedule.step(1)
    batch = source.draw(step, learner.student())
    before = snapshot(source.generator), [p.grad.clone() for p in source.generator.parameters()]
    assert len(batch.features) == 21
    assert not any(map.requires_grad for map in batch.features)
    learner.learn(step, batch)
    assert changed(before[0], source.generator) == set()
    assert all(torch.equal(a, p.grad) for a, p in zip(before[1], source.generator.parameters(), strict=True))
    assert all(p.grad is None for p in source.tutor.parameters())


def test_a_run_continued_from_its_stored_state_ends_bit_for_bit_the_same() -> None:
    given = setup(BAG(), batch=3)
    source, learner = BAG().source(given), BAG().learner(given)
    run(given, source, learner, stop=3)
    states = stored(source), stored(learner)
    run(given, source, learner, start=3)
    again, student_again = BAG().source(given), BAG().learner(given)
    again.load(states[0])
    student_again.load(states[1])
    run(given, again, student_again, start=3)
    assert changed(snapshot(learner.student()), student_again.student()) == set()
    assert changed(snapshot(source.generator), again.generator) == set()


def test_the_trained_student_passes_the_census() -> None:
    given = setup(BAG(), "W3A3")
    source, learner = BAG().source(given), BAG().learner(given)
    assert isinstance(source, BalancedImages)
    run(given, source, learner)
    counted = take(learner.student(), torch.randn(8, 3, 32, 32))
    assert counted.violations == []
    assert 4 < counted.weight_levels <= 8


def test_it_is_called_a_reading_and_builds_on_adadfq() -> None:
    assert "abstract" in BAG.card.reading
    assert version_of(BAG(), {}) == "bag-2+adadfq-3"

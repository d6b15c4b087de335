"""GDFQ: its parts against test vectors and naive forms, whole iterations against a transcription, and its promises."""

from __future__ import annotations

import pytest
import torch
import transcription
from iterations import NEAR, assert_equal_iterations, draws, exact, movement, program
from tiny import changed, images, network, run, setup, snapshot, stored, student
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench.method import Setup, Step
from bench.quant.convert import quantizers_off
from bench.quant.layers import QuantizedActivation, QuantizedWeight
from methods.gdfq import GDFQ, GDFQStudent, GeneratedImages, distillation
from methods.parts.bn_statistics import WatchedTutor, batch_statistics
from methods.parts.generator import LATENT, Generator

TUTOR = [[2, 0.5, -1, 0], [0.1, 3, 0.2, -0.5], [1, 1.2, 0.8, -2]]
STUDENT = [[1.5, 0.7, -0.5, 0.2], [0.4, 2, 0.1, 0.3], [0.2, 1.9, 0.5, -1]]
LABELS = [0, 1, 1]


def halves(given: Setup) -> tuple[GeneratedImages, GDFQStudent]:
    return GDFQ().source(given), GDFQ().learner(given)


# parts


@pytest.mark.parametrize(("classes", "expected"), [(10, 1_052_139), (100, 1_061_139)])
def test_generator_has_the_published_number_of_parameters(classes: int, expected: int) -> None:
    assert sum(p.numel() for p in Generator(classes).parameters()) == expected


def test_generated_images_have_zero_mean_and_unit_variance_per_channel() -> None:
    torch.manual_seed(0)
    made = Generator(10)(torch.randn(6, LATENT), torch.arange(6))
    assert made.shape == (6, 3, 32, 32)
    torch.testing.assert_close(made.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(made.var((0, 2, 3), correction=0), torch.ones(3), rtol=0, atol=1e-2)


@pytest.mark.usefixtures("double")
def test_student_loss_has_its_exact_value() -> None:
    t, s, y = torch.tensor(TUTOR), torch.tensor(STUDENT), torch.tensor(LABELS)
    assert float(distillation(t, s, 20.0)) == pytest.approx(0.0464272477, abs=1e-9)
    assert float(cross_entropy(s, y)) == pytest.approx(0.480663, abs=1e-6)


def test_student_loss_has_the_published_programs_value_but_for_rounding() -> None:
    """0.046436 is what the published program gets in single precision; 0.046427 is exact."""
    t, s, y = torch.tensor(TUTOR), torch.tensor(STUDENT), torch.tensor(LABELS)
    assert float(distillation(t, s, 20.0)) == pytest.approx(0.046436, abs=2e-5)
    assert float(cross_entropy(s, y) + distillation(t, s, 20.0)) == pytest.approx(0.527099, abs=2e-5)


def test_distillation_gradient_is_that_of_the_divergence_from_the_tutor() -> None:
    found, naive = (torch.tensor(STUDENT, requires_grad=True) for _ in range(2))
    distillation(torch.tensor(TUTOR), found, 20.0).backward()
    (400 * transcription.kl_mean(torch.tensor(TUTOR), naive)).backward()
    torch.testing.assert_close(found.grad, naive.grad, rtol=1e-4, atol=1e-7)


def naive_statistics(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, int]:
    watch = transcription.Watch(model)
    return model(x), transcription.batch_norm_loss(watch.seen), len(watch.seen)


def statistics_pair(layout: torch.memory_format) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Logits, statistics loss and the whole loss's gradient in the images, by the adapter and by naive hooks."""
    labels, found = torch.arange(6), []
    dtype = torch.get_default_dtype()
    tutor = WatchedTutor(network().to(dtype=dtype, memory_format=layout))
    assert len(tutor.norms) == 21
    for compute in (tutor, lambda x: naive_statistics(network().to(dtype), x)[:2]):
        x = images(6).to(dtype=dtype, memory_format=layout).requires_grad_()
        logits, statistics = compute(x)
        (cross_entropy(logits, labels) + 0.1 * statistics).backward()
        found.append((logits, statistics, x.grad))
    return found


LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])


@LAYOUTS
def test_statistics_loss_and_its_gradient_equal_those_of_naive_hooks(layout: torch.memory_format) -> None:
    own, naive = statistics_pair(layout)
    torch.testing.assert_close(own, naive, **NEAR)


@LAYOUTS
@pytest.mark.usefixtures("double")
def test_statistics_loss_and_its_gradient_equal_those_of_naive_hooks_but_for_rounding(
    layout: torch.memory_format,
) -> None:
    own, naive = statistics_pair(layout)
    torch.testing.assert_close(own, naive, rtol=1e-9, atol=1e-12)


def test_naive_hooks_see_21_batch_norms_and_a_loss_that_is_not_nothing() -> None:
    _, statistics, count = naive_statistics(network(), images(6))
    assert count == 21
    assert float(statistics.detach()) > 1e-3


def test_batch_statistics_are_mean_and_biased_variance_even_of_constant_channels() -> None:
    x = images(3) * torch.tensor([1.0, 20, 0]).view(3, 1, 1) + torch.tensor([0.0, 5, 3]).view(3, 1, 1)
    mean, variance = batch_statistics(x.contiguous(memory_format=torch.channels_last), torch.ones(3))
    torch.testing.assert_close(mean, x.mean((0, 2, 3)))
    torch.testing.assert_close(variance, x.var((0, 2, 3), correction=0), rtol=1e-5, atol=1e-9)


def test_batch_statistics_of_half_precision_maps_are_those_of_single_precision() -> None:
    x = (images(8) * torch.tensor([1.0, 20, 0.1]).view(3, 1, 1) + torch.tensor([0.0, 5, -3]).view(3, 1, 1)).bfloat16()
    unmoved = torch.full((3,), 7.0)
    mean, variance = batch_statistics(x.contiguous(memory_format=torch.channels_last), unmoved)
    assert mean.dtype == variance.dtype == torch.float32
    torch.testing.assert_close(mean, x.double().mean((0, 2, 3)).float(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(variance, x.double().var((0, 2, 3), correction=0).float(), rtol=1e-4, atol=1e-6)
    assert unmoved.tolist() == [7, 7, 7]


@pytest.mark.usefixtures("double")
def test_gradients_of_watched_batch_norms_are_exact() -> None:
    tutor = WatchedTutor(nn.Sequential(nn.BatchNorm2d(3)))
    norm = tutor.norms[0]
    norm.running_mean += torch.tensor([0.5, -1, 0])
    norm.weight.mul_(1.7)
    weights = torch.randn(2, 3, 2, 2)

    def loss(x: Tensor) -> Tensor:
        y, statistics = tutor(x)
        return (y * weights).sum() + 3 * statistics

    x = torch.randn(2, 3, 2, 2, requires_grad=True)
    loss(x).backward()
    step = 1e-5
    for at in [(0, 0, 0, 0), (1, 1, 0, 1), (0, 2, 1, 1)]:
        nudge = torch.zeros_like(x)
        nudge[at] = step
        slope = (loss(x + nudge) - loss(x - nudge)).detach() / (2 * step)
        assert float(x.grad[at]) == pytest.approx(float(slope), rel=1e-6, abs=1e-6)


def test_the_tutor_is_frozen_and_its_stored_statistics_stay() -> None:
    tutor = WatchedTutor(network())
    before = snapshot(tutor)
    tutor.train()
    x = images().requires_grad_()
    tutor(x)[1].backward()
    assert changed(before, tutor) == set()
    assert all(p.grad is None for p in tutor.parameters())


# whole iterations


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("rule", ["published", "corrected"])
def test_iterations_equal_the_transcription(rule: str) -> None:
    """Two steps of warm-up, and two of training after a decay of the learning rates."""
    given = setup(GDFQ(), batch=4, milestones=(1,), options={"ranges": rule}, model=exact)
    assert_equal_iterations(GDFQ(), given, program(given, rule == "published"))


@pytest.mark.usefixtures("double")
def test_losses_of_an_iteration_equal_the_transcriptions() -> None:
    given = setup(GDFQ(), batch=4, options={"ranges": "corrected"}, model=exact)
    source, learner = halves(given)
    theirs, drawn = program(given, published=False), draws(given)
    for step in given.schedule.walk():
        learned = learner.learn(step, source.draw(step, learner.student()))
        loss_G, loss_S = theirs.iteration(step.epoch, *next(drawn))
        own_loss = source.losses()["cross_entropy"] + 0.1 * source.losses()["statistics"]
        torch.testing.assert_close(own_loss, loss_G, **NEAR)
        torch.testing.assert_close(torch.stack(list(learned.values())).sum(), loss_S, **NEAR)


def without_effect(name: str) -> bool:
    """Whether a bias stands before a batch norm that takes it away: its gradient is nothing but rounding error."""
    return name in ("layers.1.bias", "layers.4.bias")


def test_iterations_in_single_precision_equal_the_transcription_but_for_rounding() -> None:
    """Adam's first step is a gradient's sign times the rate: near zero, two programs may part by two rates."""
    given = setup(GDFQ(), batch=8, steps=1)
    source, learner = halves(given)
    theirs, drawn = program(given, published=True), draws(given)
    start = snapshot(learner.student())
    for step in given.schedule.walk():
        learner.learn(step, source.draw(step, learner.student()))
        theirs.iteration(step.epoch, *next(drawn))
        pairs = list(zip(source.generator.named_parameters(), theirs.generator.parameters(), strict=True))
        for (name, own), other in pairs:
            if step.index == 0 and not without_effect(name):
                assert float(((own - other).abs() <= 1e-5).float().mean()) >= 0.98, name
            other.data.copy_(own.data)  # so that both students see the same images next
    others = dict(theirs.student.named_parameters())
    for name, moved in movement(start, learner.student()).items():
        other = others[name].detach() - start[name]
        torch.testing.assert_close(moved, other, rtol=0, atol=1e-5)
        assert float((moved - other).norm()) <= 0.05 * float(other.norm()), name


# what the harness relies on


class Unseen(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("GDFQ's source looked at the student")


def test_the_source_never_looks_at_the_student() -> None:
    given = setup(GDFQ())
    batch = GDFQ().source(given).draw(given.schedule.step(0), Unseen())
    assert batch.images.shape == (4, 3, 32, 32)
    assert batch.answer is None
    assert not GDFQ.card.feedback


def test_learners_that_share_a_source_end_as_if_each_had_run_alone() -> None:
    shared = setup(GDFQ(), "W3A3")
    source, three = halves(shared)
    four = GDFQ().learner(setup(GDFQ(), "W4A4"))
    run(shared, source, three, four)
    for bits, learner in (("W3A3", three), ("W4A4", four)):
        alone = setup(GDFQ(), bits)
        own_source, own = halves(alone)
        run(alone, own_source, own)
        assert changed(snapshot(own.student()), learner.student()) == set()
        assert changed(snapshot(own_source.generator), source.generator) == set()


def test_a_run_continued_from_its_stored_state_ends_bit_for_bit_the_same() -> None:
    given = setup(GDFQ(), batch=3)
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
    assert torch.equal(again.random.get_state(), source.random.get_state())


def test_seeds_give_different_runs_and_the_same_seed_the_same() -> None:
    first, same, other = (GDFQ().source(setup(GDFQ(), seed=seed)) for seed in (0, 0, 1))
    batches = [s.draw(s.setup.schedule.step(0), Unseen()) for s in (first, same, other)]
    assert torch.equal(batches[0].images, batches[1].images)
    assert not torch.equal(batches[0].images, batches[2].images)
    assert not torch.equal(batches[0].labels, batches[2].labels)


def test_batches_are_from_before_the_generators_update_and_carry_no_graph() -> None:
    given = setup(GDFQ())
    source = GDFQ().source(given)
    before = snapshot(source.generator)
    batch = source.draw(given.schedule.step(0), Unseen())
    twin = Generator(10)
    twin.load_state_dict(before)
    noise, labels = next(draws(given))
    expected = twin(noise, labels)
    torch.testing.assert_close(batch.images, expected.detach(), **NEAR)
    torch.testing.assert_close(batch.logits, network()(expected).detach(), rtol=1e-4, atol=1e-4)
    assert len(changed(before, source.generator)) > 10
    assert not any(t.requires_grad for t in (batch.images, batch.logits, *source.losses().values()))


@pytest.fixture(scope="module")
def course() -> dict[str, dict[str, Tensor]]:
    """The student at the start, after the warm-up and at the end."""
    given = setup(GDFQ())
    source, learner = halves(given)
    stages = {"start": snapshot(learner.student())}
    run(given, source, learner, stop=2)
    stages["warm"] = snapshot(learner.student())
    run(given, source, learner, start=2)
    stages["end"] = snapshot(learner.student())
    return stages


def differing(a: dict[str, Tensor], b: dict[str, Tensor]) -> set[str]:
    return {name for name in a if not torch.equal(a[name], b[name])}


def test_warm_up_moves_ranges_and_nothing_else(course: dict[str, dict[str, Tensor]]) -> None:
    moved = differing(course["start"], course["warm"])
    assert {name.split(".range.")[-1] for name in moved} <= {"lo", "hi", "weight"}
    assert sum(name.endswith(".range.hi") for name in moved) == 19


def test_training_moves_every_parameter_and_neither_ranges_nor_stored_statistics(
    course: dict[str, dict[str, Tensor]],
) -> None:
    parameters = {name for name, _ in student().named_parameters()}
    assert sum(name.endswith((".bn.weight", ".bn.bias")) for name in parameters) == 2 * 21
    assert differing(course["warm"], course["end"]) == parameters


def test_stored_statistics_are_the_full_precision_networks_at_the_end(course: dict[str, dict[str, Tensor]]) -> None:
    for name, tensor in network().state_dict().items():
        if "running" in name or "batches" in name:
            assert torch.equal(course["end"][name], tensor)


def test_evaluating_the_student_changes_nothing() -> None:
    learner = GDFQ().learner(setup(GDFQ()))
    before = snapshot(learner.student())
    learner.student()(images())
    assert changed(before, learner.student()) == set()
    assert not any(m.training for m in learner.student().modules())


def test_the_student_starts_as_the_full_precision_network() -> None:
    model = GDFQ().learner(setup(GDFQ())).student()
    with quantizers_off(model):
        torch.testing.assert_close(model(images()), network()(images()), **NEAR)
    assert all(m.bits == 4 for m in model.modules() if isinstance(m, (QuantizedWeight, QuantizedActivation)))


def test_weight_and_activation_bits_go_where_they_belong() -> None:
    model = GDFQ().learner(setup(GDFQ(), "W3A5")).student()
    assert {m.bits for m in model.modules() if isinstance(m, QuantizedWeight)} == {3}
    assert {m.bits for m in model.modules() if isinstance(m, QuantizedActivation)} == {5}


@pytest.mark.parametrize(
    ("ranges", "published", "expected"),
    [
        ("auto", True, "published"),
        ("auto", False, "corrected"),
        ("corrected", True, "corrected"),
        ("published", False, "published"),
    ],
)
def test_shortened_schedules_use_the_corrected_range_rule_unless_told(
    ranges: str, published: bool, expected: str
) -> None:
    learner = GDFQ().learner(setup(GDFQ(), options={"ranges": ranges}, published=published))
    assert {m.range.rule for m in learner.student().modules() if isinstance(m, QuantizedActivation)} == {expected}


def at(given: Setup, epoch: int) -> Step:
    return given.schedule.step(epoch * given.schedule.total // given.schedule.epochs)


def test_learning_rates_decay_at_the_published_epochs() -> None:
    given = setup(GDFQ(), batch=2, phases=GDFQ.card.schedule.phases)
    source, learner = halves(given)
    for epoch, factor in [(99, 1), (100, 0.1), (399, 0.001)]:
        learner.learn(at(given, epoch), source.draw(at(given, epoch), Unseen()))
        assert source.adam.param_groups[0]["lr"] == pytest.approx(1e-3 * factor)
        assert learner.sgd.param_groups[0]["lr"] == pytest.approx(1e-4 * factor)


def test_optimisers_are_the_published_ones() -> None:
    source, learner = halves(setup(GDFQ()))
    adam, sgd = source.adam.param_groups[0], learner.sgd.param_groups[0]
    assert (adam["betas"], adam["eps"], adam["weight_decay"]) == ((0.5, 0.999), 1e-8, 0)
    assert (sgd["momentum"], sgd["nesterov"], sgd["weight_decay"]) == (0.9, True, 1e-4)
    assert len(learner.sgd.param_groups) == 1
    assert sum(p.numel() for p in sgd["params"]) == 272_474


def test_bfloat16_trains_in_bfloat16_and_keeps_single_precision_weights() -> None:
    given = setup(GDFQ(), precision="bf16", steps=1)
    source, learner = halves(given)
    exact = GDFQ().source(setup(GDFQ(), steps=1)).draw(given.schedule.step(0), Unseen())
    batches = run(given, source, learner)
    assert (batches[0].images.dtype, batches[0].logits.dtype) == (torch.bfloat16, torch.float32)
    assert float((batches[0].images.float() - exact.images).abs().mean()) < 0.05
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in learner.student().parameters())
    assert all(loss.isfinite() for loss in source.losses().values())

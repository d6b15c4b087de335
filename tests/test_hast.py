"""HAST: its parts against test vectors and torchvision, both stages against a transcription, and its promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transcription_hast
from iterations import exact, movement
from tiny import FEW, changed, images, network, run, setup, snapshot, stored
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.functional import hflip, resized_crop
from workplace import give_teacher, make

from bench.artifacts import Artifacts
from bench.method import Batch, Setup, options_of, version_of
from bench.quant.convert import quantizers_off
from bench.quant.layers import QuantizedActivation
from bench.spec import Bits, Cell
from methods.gdfq import GDFQ, GeneratedImages
from methods.hast import HAST, HASTImages, HASTStudent, distillation, misalignment, promoted, total
from methods.parts.bn_statistics import WatchedTutor
from methods.parts.generator import LATENT, Generator
from methods.parts.stored_images import StoredImages, random_boxes, resized_crops
from methods.parts.synthesis import Recipe, focal_loss, hard_images, synthesise

TUTOR = [[2, 0.5, -1, 0], [0.1, 3, 0.2, -0.5], [1, 1.2, 0.8, -2]]
STUDENT = [[1.5, 0.7, -0.5, 0.2], [0.4, 2, 0.1, 0.3], [0.2, 1.9, 0.5, -1]]
LABELS = [0, 1, 1]


class SmallHAST(HAST):
    """HAST on a few images that are made in a second."""

    def recipe(self, given: Setup) -> Recipe:
        return FEW


def halves(given: Setup) -> tuple[HASTImages, HASTStudent]:
    return SmallHAST().source(given), SmallHAST().learner(given)


# hard sample synthesis


@pytest.mark.parametrize(
    ("beta", "gamma", "expected"), [(10, 2, 1.234627), (0.1, 0.5, 0.031825), (1, 0, 0.468933)], ids=str
)
def test_focal_loss_has_its_values(beta: float, gamma: float, expected: float) -> None:
    found = beta * focal_loss(torch.tensor(TUTOR), torch.tensor(LABELS), gamma)
    assert float(found) == pytest.approx(expected, abs=2e-6)


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    t, y = torch.tensor(TUTOR), torch.tensor(LABELS)
    torch.testing.assert_close(focal_loss(t, y, 0.0), cross_entropy(t, y))


def test_gradient_of_focal_loss_flows_through_the_difficulty_too() -> None:
    t = torch.tensor(TUTOR, requires_grad=True)
    (10 * focal_loss(t, torch.tensor(LABELS), 2.0)).backward()
    expected = torch.tensor([-0.217418, 0.118830, 0.026515, 0.072074])
    torch.testing.assert_close(t.grad[0], expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_gradient_of_focal_loss_is_finite_where_the_tutor_is_certain(gamma: float) -> None:
    t = torch.tensor([[200.0, 0, 0], [0, 200.0, 0]], requires_grad=True)
    focal_loss(t, torch.tensor([0, 2]), gamma).backward()
    assert t.grad.isfinite().all()


def plain(role: str) -> nn.Module:
    """A small network with a batch norm, in double precision."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        layers = [nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(8, 10)).double().eval()


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("model", "iterations"), [(exact, 4), (plain, 160)])
def test_synthesis_equals_the_transcription(model: Callable[[str], nn.Module], iterations: int) -> None:
    """A few steps on a ResNet-20; on a small network enough to see the learning rate fall."""
    given, recipe = setup(HAST(), model=model), Recipe(10.0, 2.0, iterations, parts=1, batch=4)
    random = given.stream("images/3")
    x, y = torch.randn(4, 3, 32, 32, generator=random), torch.randint(10, (4,), generator=random)
    made = synthesise(given, WatchedTutor(model("tutor")), recipe, 3)
    expected, rates = transcription_hast.synthesise(model("tutor"), x, y, iterations, 10.0, 2.0)
    assert torch.equal(made["labels"], y)
    torch.testing.assert_close(made["images"], expected, rtol=0, atol=1e-5, check_stride=False)
    assert (rates[-1] < 0.5) == (iterations > 50)


def test_synthesised_images_become_plausible_to_the_tutor() -> None:
    given = setup(HAST())
    tutor = WatchedTutor(network())
    start, end = (synthesise(given, tutor, Recipe(10.0, 2.0, steps, 1, 16), 0) for steps in (0, 60))
    assert torch.equal(start["labels"], end["labels"])
    before, after = (tutor(made["images"])[0] for made in (start, end))
    assert float(cross_entropy(after, end["labels"])) < 0.5 * float(cross_entropy(before, start["labels"]))
    assert float((after.argmax(1) == end["labels"]).float().mean()) > 0.9


def test_images_made_with_a_focus_leave_the_tutor_less_certain() -> None:
    given, tutor, confidence = setup(HAST()), WatchedTutor(network()), []
    for gamma in (0.0, 2.0):
        made = synthesise(given, tutor, Recipe(10.0, gamma, 60, 1, 16), 0)
        confidence.append(float(tutor(made["images"])[0].softmax(1).gather(1, made["labels"][:, None]).mean()))
    assert confidence[0] > confidence[1] > 0.5


def test_parts_do_not_depend_on_each_other() -> None:
    given, tutor = setup(HAST()), WatchedTutor(network())
    third = synthesise(given, tutor, FEW, 2)
    assert torch.equal(synthesise(given, tutor, FEW, 2)["images"], third["images"])
    assert not torch.equal(synthesise(given, tutor, FEW, 1)["images"], third["images"])


def test_images_are_made_once_for_all_bit_widths_and_no_tutor_is_built_again(tmp_path: Path) -> None:
    built: list[str] = []

    def model(role: str) -> nn.Module:
        built.append(role)
        return network()

    found = [
        hard_images(setup(HAST(), bits, model=model, artifacts=Artifacts(tmp_path, "tests")), FEW)
        for bits in ("W4A4", "W3A3")
    ]
    assert built == ["tutor"]
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][0].shape == (16, 3, 32, 32)
    assert (found[0][1].shape, found[0][1].dtype) == ((16,), torch.int64)


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"precision": "bf16"}, {"recipe": replace(FEW, gamma=0.0)}, {"tutor": "other"}], ids=str
)
def test_images_are_other_ones_where_anything_they_depend_on_differs(tmp_path: Path, changes: dict[str, Any]) -> None:
    def made(recipe: Recipe = FEW, tutor: str = "one", **further: Any) -> Setup:
        given = setup(HAST(), artifacts=Artifacts(tmp_path, "tests"), **further)
        given.cell = given.cell.but(tutor=tutor)
        hard_images(given, recipe)
        return given

    made()
    made()
    assert len(list(tmp_path.iterdir())) == 1
    assert "images" in made(**changes).artifacts.used
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "iterations", "parts"), [("paper", 1000, 20), ("quick", 40, 20), ("smoke", 13, 5), ("75-epochs", 497, 20)]
)
def test_images_are_made_in_fewer_steps_where_the_schedule_is_shorter(name: str, iterations: int, parts: int) -> None:
    given = setup(HAST())
    given.schedule = HAST.card.schedule.named(name)
    assert HAST().recipe(given) == Recipe(10.0, 2.0, iterations, parts, 256)


# stored images


def test_crops_equal_torchvisions() -> None:
    x = images(40)
    boxes = random_boxes(40, 32, 32, torch.Generator().manual_seed(1))
    boxes[0] = torch.tensor([0, 0, 32, 32])
    flips = torch.arange(40) % 2 == 1
    found = resized_crops(x, boxes, flips)
    for image, box, flip, crop in zip(x, boxes.tolist(), flips, found, strict=True):
        expected = resized_crop(image, *box, [32, 32], antialias=True)
        torch.testing.assert_close(crop, hflip(expected) if flip else expected, rtol=0, atol=1e-5)


def test_boxes_lie_within_and_are_distributed_as_torchvisions() -> None:
    count = 4000
    boxes = random_boxes(count, 32, 32, torch.Generator().manual_seed(0))
    top, left, high, wide = boxes.T
    assert int(boxes.min()) >= 0
    assert int((top + high).max()) <= 32
    assert int((left + wide).max()) <= 32
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        image = torch.empty(3, 32, 32)
        theirs = [RandomResizedCrop.get_params(image, [0.5, 1.0], [3 / 4, 4 / 3]) for _ in range(count)]
    expected = torch.tensor(theirs, dtype=torch.float64)
    torch.testing.assert_close(boxes.double().mean(0), expected.mean(0), rtol=0, atol=0.3)
    torch.testing.assert_close(boxes.double().std(0), expected.std(0), rtol=0, atol=0.3)
    area = (high * wide).double() / 1024
    assert float(area.min()) == pytest.approx(0.5, abs=0.03)
    assert float(area.max()) == 1


def numbered(batch: int, count: int = 10) -> StoredImages:
    """Images whose labels number them."""
    return StoredImages(setup(HAST(), batch=batch, steps=4), images(count), torch.arange(count))


def test_one_order_an_epoch_is_repeated_within_it_with_fresh_crops() -> None:
    source, given = numbered(batch=5), setup(HAST(), steps=4)
    first, second = (
        [source.draw(given.schedule.step(4 * epoch + i), nn.Identity()) for i in range(4)] for epoch in (0, 1)
    )
    orders = [[batch.labels.tolist() for batch in epoch] for epoch in (first, second)]
    assert orders[0][:2] == orders[0][2:]
    assert sorted(orders[0][0] + orders[0][1]) == list(range(10))
    assert orders[1][:2] != orders[0][:2]
    assert not torch.equal(first[0].images, first[2].images)


def test_images_that_fill_no_batch_are_left_out_and_a_small_set_is_drawn_whole() -> None:
    given = setup(HAST(), steps=4)
    drawn = [numbered(batch=size).draw(given.schedule.step(0), nn.Identity()) for size in (4, 64)]
    assert [len(batch.labels) for batch in drawn] == [4, 10]
    source = numbered(batch=4)
    labels = [source.draw(given.schedule.step(i), nn.Identity()).labels.tolist() for i in range(3)]
    assert labels[2] == labels[0] != labels[1]


# losses


@pytest.mark.usefixtures("double")
def test_distillation_is_8000_times_the_batch_mean_divergence() -> None:
    t, s = torch.tensor(TUTOR), torch.tensor(STUDENT)
    own = 20 * float(distillation(t, s, 20.0))
    assert own == pytest.approx(8000 * 4.64360e-4, rel=3e-4)  # published values were computed in single precision
    assert own == pytest.approx(3.7149, abs=1.2e-3)
    assert own == pytest.approx(8000 * float(transcription_hast.batch_mean_kl(t, s)), rel=1e-9)


def test_feature_alignment_has_its_value() -> None:
    n = torch.arange(24)
    tutor, student = n.sin().view(2, 3, 2, 2), (0.7 * n).cos().view(2, 3, 2, 2)
    assert 1000 * float(misalignment((tutor,), (student,))) == pytest.approx(7.06739, abs=1e-5)
    assert 1000 * float(misalignment((tutor, student), (student, tutor))) == pytest.approx(14.13478, abs=2e-5)


WT = [[1, -0.5, 0.2], [0.3, 0.8, -1]]
WS = [[0.9, -0.2, 0.1], [0.1, 1, -0.7]]
X = [[0.5, -1, 2], [1, 0.3, -0.4]]


@pytest.mark.usefixtures("double")
def test_samples_are_promoted_along_the_gradient_through_both_networks() -> None:
    tutor, student, x = (torch.tensor(v, dtype=torch.float64) for v in (WT, WS, X))

    def loss(at: Tensor, attached: bool = True) -> Tensor:
        t = at @ tutor.T
        return 20 * distillation(t if attached else t.detach(), at @ student.T, 20.0)

    x.requires_grad_()
    clean = loss(x)
    (slope,) = torch.autograd.grad(clean, x, retain_graph=True)
    harder = promoted(x, clean, 0.01)
    expected = torch.tensor([[-0.2137, -0.2053, 0.8380], [0.0725, 0.0725, -0.2900]])
    assert float(clean.detach()) == pytest.approx(0.999808, abs=6e-4)  # computed in single precision
    assert float(clean.detach()) == pytest.approx(1.000266231471, abs=1e-9)
    torch.testing.assert_close(slope, expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(harder, x.detach() + 0.01 * expected.sign())
    assert float(loss(harder).detach()) == pytest.approx(1.016736, abs=6e-4)
    assert not harder.requires_grad
    (detached,) = torch.autograd.grad(loss(x, attached=False), x)
    assert int((detached.sign() != slope.sign()).sum()) == 4


# whole iterations


def program(given: Setup, published: bool) -> transcription_hast.Program:
    """The transcription, from the weights that the adapter's halves start with."""
    with given.seeded("generator"):
        generator = Generator(10)
    twin = transcription_hast.transcription.ConditionalGenerator(10)
    with torch.no_grad():
        for own, theirs in zip(twin.parameters(), generator.parameters(), strict=True):
            own.copy_(theirs)
    full = [given.model(role).to(torch.get_default_dtype()) for role in ("tutor", "init")]
    bits = (given.cell.bits.w, given.cell.bits.a)
    rules = {"warmup": 1, "milestones": given.schedule.milestones, "published": published}
    return transcription_hast.Program(*full, twin, bits, **rules)


def calibration_draws(given: Setup, steps: int) -> list[tuple[Tensor, Tensor]]:
    """Noise and labels of the warm-up: 16 a step, whatever the schedule's batch."""
    random = given.stream("noise")
    return [
        (torch.randn(16, LATENT, generator=random), torch.randint(10, (16,), generator=random)) for _ in range(steps)
    ]


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("rule", ["published", "corrected"])
def test_iterations_equal_the_transcription(rule: str, tmp_path: Path) -> None:
    """Two steps of warm-up, and two of training after a decay of the learning rate."""
    given = setup(
        HAST(),
        milestones=(1,),
        options={"ranges": rule},
        model=exact,
        artifacts=Artifacts(tmp_path, "tests"),
    )
    source, learner = halves(given)
    theirs, drawn = program(given, rule == "published"), calibration_draws(given, 2)
    start = snapshot(learner.student())
    for step in given.schedule.walk():
        batch = source.draw(step, learner.student())
        losses = learner.learn(step, batch)
        if step.phase == "warmup":
            theirs.calibrate(*drawn[step.index])
            continue
        clean, hard = theirs.train(step.epoch, batch.images)
        torch.testing.assert_close(losses["distillation"] + losses["alignment"], clean, rtol=1e-6, atol=1e-8)
        again = losses["promoted_distillation"] + losses["promoted_alignment"]
        torch.testing.assert_close(again, hard, rtol=1e-6, atol=1e-8)

    for own, other in zip(source.generated.generator.parameters(), theirs.generator.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=1e-5)
    others = dict(theirs.student.named_parameters())
    for name, moved in movement(start, learner.student()).items():
        other = others[name].detach() - start[name]
        torch.testing.assert_close(moved, other, rtol=0, atol=1e-5)
        assert float(other.norm()) > 0
        assert float((moved - other).norm()) <= 1e-3 * float(other.norm()), name  # updates are far below 1e-5
    ranges = [m.range() for m in theirs.student.modules() if isinstance(m, transcription_hast.QuantAct)]
    own_ranges = [m.range.bounds() for m in learner.student().modules() if isinstance(m, QuantizedActivation)]
    torch.testing.assert_close(own_ranges, ranges, check_dtype=False, rtol=1e-5, atol=1e-6)


def test_an_iteration_in_single_precision_is_near_the_transcription() -> None:
    """A value at the edge of two levels may fall to either side in two programs, and with it some slopes' signs.

    Two runs of the transcription, in single and in double precision, part by up to 0.2 here, and the more bits the
    more, as the loss itself becomes a matter of few values.
    """
    given = setup(HAST(), "W3A3", batch=16, steps=1)
    source, learner = halves(given)
    theirs, (drawn,) = program(given, published=True), calibration_draws(given, 1)
    warm, train = given.schedule.walk()
    learner.learn(warm, source.draw(warm, learner.student()))
    theirs.calibrate(*drawn)
    start = snapshot(learner.student())
    batch = source.draw(train, learner.student())
    losses = learner.learn(train, batch)
    clean, hard = theirs.train(train.epoch, batch.images)
    torch.testing.assert_close(losses["distillation"] + losses["alignment"], clean, rtol=0.02, atol=0)
    torch.testing.assert_close(losses["promoted_distillation"] + losses["promoted_alignment"], hard, rtol=0.1, atol=0)
    others = dict(theirs.student.named_parameters())
    moves = movement(start, learner.student())
    apart = [moved - (others[name].detach() - start[name]) for name, moved in moves.items()]
    assert norm(apart) <= 0.3 * norm(list(moves.values()))


def norm(tensors: list[Tensor]) -> float:
    return float(torch.cat([tensor.flatten() for tensor in tensors]).norm())


# what the specification asks for


def warmed(**changes: Any) -> tuple[Setup, HASTImages, HASTStudent]:
    """A student whose ranges are calibrated, and its source, about to train."""
    given = setup(HAST(), **changes)
    source, learner = halves(given)
    run(given, source, learner, stop=2)
    return given, source, learner


def of_pass(losses: dict[str, Tensor], prefix: str = "") -> float:
    return float(losses[f"{prefix}distillation"].detach() + losses[f"{prefix}alignment"].detach())


def test_without_a_step_the_second_pass_equals_the_first() -> None:
    given, source, learner = warmed(options={"epsilon": 0})
    losses = learner.losses(source.draw(given.schedule.step(2), learner.student()))
    assert of_pass(losses) == of_pass(losses, "promoted_") > 0


def test_samples_made_harder_have_a_higher_loss_on_average() -> None:
    given, source, learner = warmed(batch=8, bits="W8A8")
    found = [learner.losses(source.draw(given.schedule.step(i), learner.student())) for i in (2, 3)]
    assert sum(of_pass(losses, "promoted_") for losses in found) > sum(of_pass(losses) for losses in found)


def test_nothing_is_lost_where_quantizers_are_off() -> None:
    given, source, learner = warmed()
    batch = source.draw(given.schedule.step(2), learner.student())
    with quantizers_off(learner.student()):
        losses = learner.losses(batch)
    assert set(losses) == {"distillation", "alignment", "promoted_distillation", "promoted_alignment"}
    assert all(float(loss.detach()) == pytest.approx(0, abs=1e-7) for loss in losses.values())


def test_labels_are_not_used() -> None:
    given, source, learner = warmed()
    _, _, other = warmed()
    batch = source.draw(given.schedule.step(2), learner.student())
    learner.learn(given.schedule.step(2), batch)
    other.learn(given.schedule.step(2), replace(batch, labels=batch.labels.flip(0) + 1))
    assert changed(snapshot(learner.student()), other.student()) == set()


def test_ranges_come_from_batches_of_16_of_a_generator_and_from_nothing_else() -> None:
    given = setup(HAST(), options={"ranges": "corrected"})
    source, learner = halves(given)
    seen: list[Tensor] = []
    first = next(m for m in learner.student().modules() if isinstance(m, QuantizedActivation))
    first.function.register_forward_hook(lambda module, x, y: seen.append(y.detach().clone()))
    batches = run(given, source, learner, stop=2)
    assert [len(batch.images) for batch in batches] == [16, 16]
    assert [len(maps) for maps in seen] == [16, 16]  # every batch is observed once
    highest = 0.9 * 0.1 * seen[0].max() + 0.1 * seen[1].max()
    warm = snapshot(learner.student())
    run(given, source, learner, start=2)
    torch.testing.assert_close(first.range.bounds()[1], highest / (1 - 0.9**2))
    assert not any("range" in name for name in changed(warm, learner.student()))


def test_the_generator_is_gdfqs_at_that_batch() -> None:
    given = setup(HAST())
    own = SmallHAST().source(given).draw(given.schedule.step(0), nn.Identity())
    gdfq = setup(GDFQ(), batch=16)
    expected = GeneratedImages(gdfq).draw(gdfq.schedule.step(0), nn.Identity())
    assert torch.equal(own.images, expected.images)
    assert torch.equal(own.labels, expected.labels)


def test_training_moves_every_parameter_and_nothing_else() -> None:
    given, source, learner = warmed()
    before = snapshot(learner.student())
    run(given, source, learner, start=2)
    assert changed(before, learner.student()) == {name for name, _ in learner.student().named_parameters()}
    assert source.losses() == {}
    assert not any(p.requires_grad or p.grad is not None for p in learner.tutor.parameters())


# what the harness relies on


class Unseen(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("HAST's source looked at the student")


def test_the_source_never_looks_at_the_student() -> None:
    given = setup(HAST())
    source = SmallHAST().source(given)
    for step in given.schedule.walk():
        assert source.draw(step, Unseen()).images.shape[1:] == (3, 32, 32)
    assert not HAST.card.feedback


def test_a_run_continued_from_its_stored_state_ends_bit_for_bit_the_same() -> None:
    given = setup(HAST(), steps=3, batch=4)
    for stop in (2, 5):  # in the warm-up, and within a pass over the stored images
        source, learner = halves(given)
        run(given, source, learner, stop=stop)
        states = stored(source), stored(learner)
        run(given, source, learner, start=stop)
        again, student_again = halves(given)
        again.load(states[0])
        student_again.load(states[1])
        run(given, again, student_again, start=stop)
        assert changed(snapshot(learner.student()), student_again.student()) == set()
        assert torch.equal(again.stored.random.get_state(), source.stored.random.get_state())


def test_bfloat16_trains_with_losses_in_single_precision(tmp_path: Path) -> None:
    given = setup(HAST(), precision="bf16", steps=1, artifacts=Artifacts(tmp_path, "tests"))
    source, learner = halves(given)
    warm, train = given.schedule.walk()
    learner.learn(warm, source.draw(warm, learner.student()))
    losses = learner.learn(train, source.draw(train, learner.student()))
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in learner.student().parameters())


@pytest.mark.parametrize("perturbing", [False, True])
def test_a_strategy_acts_on_the_clean_pass_and_steers_the_perturbation_only_where_asked(perturbing: bool) -> None:
    given, source, learner = warmed()
    batch = source.draw(given.schedule.step(2), learner.student())
    told: list[Batch] = []

    def against(seen: Batch, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        told.append(seen)
        return {**losses, "further": -2 * total(losses)}  # turns the slope around

    plain = learner.losses(batch)
    learner.follow(against, perturbing)
    losses = learner.losses(batch)
    assert list(losses)[:3] == ["distillation", "alignment", "further"]
    assert not any("promoted_further" in name for name in losses)
    assert len(told) == 1
    assert len(told[0].features) == 9
    assert not any(t.requires_grad for t in (told[0].logits, *told[0].features))
    assert of_pass(losses) == of_pass(plain)
    assert (of_pass(losses, "promoted_") == of_pass(plain, "promoted_")) != perturbing


def test_optimiser_and_rates_are_the_published_ones() -> None:
    learner = HAST().learner(setup(HAST()))
    sgd = learner.sgd.param_groups[0]
    assert (sgd["lr"], sgd["momentum"], sgd["nesterov"], sgd["weight_decay"]) == (1e-5, 0.9, True, 1e-4)
    schedule = HAST.card.schedule
    assert (schedule.epochs, schedule.steps, schedule.batch, schedule.total) == (151, 200, 64, 30_200)
    assert [schedule.decay(epoch) for epoch in (19, 20, 40, 60)] == pytest.approx([1, 0.1, 0.01, 0.001])
    assert [phase.epochs for phase in schedule.named("quick").phases] == [1, 5]


def test_version_names_everything_that_results_depend_on() -> None:
    assert version_of(HAST(), {}) == "hast-2+images-3+gdfq-3"
    assert options_of(HAST.card, {"alignment": 2000, "epsilon": 0.02}).alignment == 2000


def test_networks_without_residual_bodies_are_declined() -> None:
    cell = Cell("cifar10", "mobilenetv2", "hast", Bits(4, 4), "quick")
    assert "no residual bodies" in HAST().declines(cell)
    assert HAST().declines(cell.but(model="resnet20")) is None


@pytest.mark.slow
def test_the_record_names_the_images_that_a_group_shared(tmp_path: Path) -> None:
    place = make(tmp_path, '"W4A4", "W3A3"', method="hast")
    give_teacher(place)
    ended = place.bench("run", str(place.suite), "--no-sync", "--schedule", "smoke")
    assert ended.returncode == 0, ended.stderr
    made = {record.result["artifacts"]["images"] for record in place.records()}
    assert len(place.records()) == 2
    assert len(made) == 1
    assert len(list((place.results / ".work" / "artifacts").iterdir())) == 1
    assert "makes images, part 5 of 5" in ended.stderr

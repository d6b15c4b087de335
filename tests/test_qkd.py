"""QKD: its losses against test vectors, whole iterations against a transcription, phases, options and promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
import torch
import transcription_qkd
from tiny import changed, images, network, run, setup, snapshot, stored
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench.errors import DataAccessDenied, OptionInvalid
from bench.method import Card, Setup, options_of, settled, version_of
from bench.quant import census
from bench.quant.learned import LearnedWeight
from bench.quant.steps import input_steps, weight_steps
from bench.spec import FULL, Bits, Cell
from methods.parts.images import LabelledImages
from methods.qkd import CO_STUDY, QKD, SELF_STUDY, TUTORING, StudyingPair, distillation

STUDENT = [[1, 2, -1], [0, 0.5, 3]]
TUTOR = [[2, 1, -2], [0.2, 0, 2]]
LABELS = [1, 2]
NEAR = {"rtol": 1e-5, "atol": 1e-5}
SHORT = {SELF_STUDY: "SS", CO_STUDY: "CS", TUTORING: "TU"}
ABLATION = {
    "SS": (200, 0, 0),
    "TU": (0, 0, 200),
    "SS+TU": (30, 0, 170),
    "CS+TU": (0, 130, 70),
    "SS+CS": (30, 170, 0),
    "SS+CS+TU": (30, 100, 70),
}


def training() -> tuple[Tensor, Tensor]:
    """Made-up images uint8 (12, 32, 32, 3) and labels (12,)."""
    random = torch.Generator().manual_seed(3)
    made = torch.randint(256, (12, 32, 32, 3), generator=random, dtype=torch.uint8)
    return made, torch.randint(10, (12,), generator=random)


def pair(role: str, name: str = "resnet20") -> nn.Module:
    """The student's network, or a tutor of another depth."""
    return network("resnet32" if role == "tutor" else name).to(memory_format=torch.channels_last)


def studies(bits: str = "W3A3", name: str = "resnet20", **more: Any) -> Setup:
    """A setup of one epoch of two steps for each phase that the options leave."""
    options = more.pop("options", {})
    card = settled(QKD(), options)
    phases = tuple(replace(phase, epochs=1) for phase in card.schedule.phases)
    model = more.pop("model", lambda role: pair(role, name))
    return setup(QKD(), bits, options=options, training=training, model=model, **({"phases": phases} | more))


def halves(given: Setup) -> tuple[LabelledImages, StudyingPair]:
    return QKD().source(given), QKD().learner(given)


def until(given: Setup, stop: int) -> tuple[LabelledImages, StudyingPair]:
    """Both halves after the first `stop` steps."""
    source, learner = halves(given)
    run(given, source, learner, stop=stop)
    return source, learner


def lengths(of: str) -> dict[str, int]:
    return dict(zip(("self_study", "co_study", "tutoring"), ABLATION[of], strict=True))


# losses


@pytest.mark.usefixtures("double")
def test_losses_are_the_published_values() -> None:
    z_s, z_t, y = torch.tensor(STUDENT), torch.tensor(TUTOR), torch.tensor(LABELS)
    ce_s, ce_t = cross_entropy(z_s, y), cross_entropy(z_t, y)
    to_student, to_tutor = distillation(z_t, z_s, 2.0), distillation(z_s, z_t, 2.0)
    found = [float(t) for t in (ce_s, ce_t, to_student, to_tutor, ce_s + to_student, ce_t + to_tutor)]
    assert found == pytest.approx([0.236443, 0.794707, 0.301907, 0.289642, 0.538349, 1.084349], abs=1e-6)


class Fixed(nn.Module):
    """A network whose logits are a parameter."""

    def __init__(self, logits: list[list[float]]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, x: Tensor) -> Tensor:
        return self.logits


@pytest.mark.parametrize(
    ("phase", "student", "tutor"), [("SS", 0.236443, None), ("CS", 0.538349, 1.084349), ("TU", 0.538349, None)]
)
def test_each_phase_has_its_losses(phase: str, student: float, tutor: float | None) -> None:
    learner = QKD().learner(studies())
    learner.model, learner.tutor = Fixed(STUDENT), Fixed(TUTOR)
    batch = replace(
        QKD().source(studies()).draw(studies().schedule.step(0), nn.Identity()), labels=torch.tensor(LABELS)
    )
    names = {short: name for name, short in SHORT.items()}
    losses = learner.losses(names[phase], batch)
    own = [loss for name, loss in losses.items() if not name.startswith("tutor_")]
    tutors = [loss for name, loss in losses.items() if name.startswith("tutor_")]
    assert float(sum(own).detach()) == pytest.approx(student, abs=1e-6)
    assert (float(sum(tutors).detach()) if tutors else None) == pytest.approx(tutor, abs=1e-6)
    in_student = torch.autograd.grad(sum(own), [learner.model.logits], retain_graph=True)
    torch.stack(list(losses.values())).sum().backward()
    assert torch.equal(learner.model.logits.grad, in_student[0])
    assert (learner.tutor.logits.grad is not None) == (phase == "CS")


# whole iterations


def own_name(theirs: str) -> str:
    """Parameter name of the adapter's student for one of the transcription's."""
    return theirs.replace(".layer.", ".").replace(".I_W", ".step").replace(".I_X", ".input.step")


def programs(
    given: Setup, double: bool
) -> tuple[StudyingPair, transcription_qkd.Program, Callable[[], None], dict[str, Tensor]]:
    """The adapter's learner, the transcription, what takes both through the whole schedule, and the first student."""
    source, learner = halves(given)
    options, twin = given.options, LabelledImages(given)
    batches = [twin.draw(step, nn.Identity()).images for step in islice(given.schedule.walk(), 8)]
    plain = options.step_gradient == "plain"
    networks = [given.model(role).to(memory_format=torch.contiguous_format) for role in ("init", "tutor")]
    theirs = transcription_qkd.Program(
        *(n.double() if double else n for n in networks),
        (given.cell.bits.w, given.cell.bits.a),
        [batch.contiguous() for batch in batches],
        ends=options.first_last_bits or None,
        rates={"I_W": options.weight_step_rate, "I_X": options.input_step_rate} if plain else None,
        max_based={"auto": None, "max": True, "lsq": False}[options.first_step],
    )
    start = {name: p.detach().clone() for name, p in learner.student().named_parameters()}

    def go() -> None:
        steps = given.schedule.steps
        for step in given.schedule.walk():
            batch = source.draw(step, nn.Identity())
            losses = learner.learn(step, batch)
            x, done = batch.images.contiguous(), step.index / step.total
            found = theirs.iteration(SHORT[step.phase], x, batch.labels, done, step.index % steps / steps)
            own = torch.stack([loss for name, loss in losses.items() if not name.startswith("tutor_")]).sum()
            torch.testing.assert_close(own, found[0], **NEAR)
            if len(found) > 1:
                tutors = losses["tutor_cross_entropy"] + losses["tutor_distillation"]
                torch.testing.assert_close(tutors, found[1], **NEAR)

    return learner, theirs, go, start


def assert_starts_alike(learner: StudyingPair, theirs: transcription_qkd.Program) -> None:
    own = dict(learner.student().named_parameters())
    assert {own_name(name) for name, _ in theirs.student.named_parameters()} == own.keys()
    for name, other in theirs.student.named_parameters():
        torch.testing.assert_close(own[own_name(name)], other, rtol=1e-5, atol=1e-9)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(
    ("bits", "name", "options"),
    [
        ("W3A3", "resnet20", {}),
        ("W4A4", "resnet20", {"first_last_bits": 8}),
        ("W4A3", "resnet20", {"step_gradient": "plain", "input_step_rate": 1e-4, "first_step": "max"}),
        ("W4A4", "mobilenetv2_w025", {"first_step": "lsq"}),
    ],
)
def test_iterations_of_every_phase_equal_the_transcription(bits: str, name: str, options: dict[str, Any]) -> None:
    """Two steps of self-study, co-study and tutoring: all parameters within 1e-5, their updates within 0.1 %."""
    given = studies(bits, options=options, model=lambda role: pair(role, name).double())
    learner, theirs, go, start = programs(given, double=True)
    assert_starts_alike(learner, theirs)
    go()
    own = dict(learner.student().named_parameters())
    moves = {
        own_name(name): (other - start[own_name(name)]).detach() for name, other in theirs.student.named_parameters()
    }
    assert sum(float(moved.norm()) > 1e-9 for moved in moves.values()) > 0.9 * len(moves)
    for name, moved in moves.items():  # a shift that the next batch norm takes away has no gradient but rounding
        torch.testing.assert_close(own[name].detach() - start[name], moved, rtol=0, atol=1e-5)
        assert float((own[name].detach() - start[name] - moved).norm()) <= 1e-3 * float(moved.norm()) + 1e-9, name
    for mine, other in zip(learner.tutor.parameters(), theirs.teacher.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-5)
    for mine, other in zip(learner.model.buffers(), theirs.student.buffers(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)


class Shallow(nn.Sequential):
    def __init__(self, width: int) -> None:
        first, second = nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.Conv2d(width, width, 3, 2, 1, bias=False)
        first_norm, second_norm = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        last = (nn.AvgPool2d(4), nn.Flatten(), nn.Linear(4 * width, 10))
        super().__init__(first, first_norm, nn.ReLU(), second, second_norm, *last)


def shallow(role: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return Shallow(16 if role == "tutor" else 8).eval().to(memory_format=torch.channels_last)


@pytest.mark.parametrize("bits", ["W3A3", "W4A4", "W8A8"])
def test_iterations_of_a_shallow_network_equal_the_transcription_in_single_precision(bits: str) -> None:
    """In a deep one a single value that is rounded the other way moves gradients by a quarter, at any width."""
    learner, theirs, go, _ = programs(studies(bits, model=shallow), double=False)
    assert_starts_alike(learner, theirs)
    go()
    own = dict(learner.student().named_parameters())
    for name, other in theirs.student.named_parameters():
        torch.testing.assert_close(own[own_name(name)], other, rtol=0, atol=1e-5)
    for mine, other in zip(learner.tutor.parameters(), theirs.teacher.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-5)


# phases and options


@pytest.mark.parametrize("row", ABLATION)
def test_rows_of_the_ablation_grid_are_option_sets_of_200_epochs(row: str) -> None:
    card = settled(QKD(), lengths(row))
    assert "+".join(SHORT[phase.name] for phase in card.schedule.phases) == row
    assert [phase.epochs for phase in card.schedule.phases] == [count for count in ABLATION[row] if count]
    assert card.schedule.epochs == 200
    assert card.schedule.batch == 128


@pytest.mark.parametrize(
    ("row", "quick"), [("SS+CS+TU", [1, 4, 3]), ("SS", [8]), ("SS+TU", [1, 7]), ("CS+TU", [5, 3]), ("SS+CS", [1, 7])]
)
def test_the_quick_schedule_has_a_25th_of_the_epochs(row: str, quick: list[int]) -> None:
    assert [phase.epochs for phase in settled(QKD(), lengths(row)).schedule.named("quick").phases] == quick


def test_the_card_is_that_of_the_default_options() -> None:
    assert settled(QKD(), {}) == QKD.card
    assert [phase.epochs for phase in QKD.card.schedule.phases] == [30, 100, 70]
    assert (QKD.card.data, QKD.card.feedback, QKD.card.tutor) == ("train", False, "resnet56")
    assert version_of(QKD(), {}) == "qkd-1"
    assert QKD.card.reading


def test_the_tutor_is_an_option_and_none_is_needed_where_the_student_only_studies_alone() -> None:
    assert settled(QKD(), {"tutor": "resnet110"}).tutor == "resnet110"
    assert settled(QKD(), lengths("TU")).tutor == "resnet56"
    assert settled(QKD(), lengths("SS")).tutor == ""


def test_first_and_last_layers_at_8_bits_are_a_league_of_their_own() -> None:
    eight: Card = settled(QKD(), {"first_last_bits": 8})
    assert eight.quantizer != QKD.card.quantizer
    assert "8 bits" in eight.quantizer
    with pytest.raises(OptionInvalid, match="one of 0, 8"):
        options_of(QKD.card, {"first_last_bits": 4})


@pytest.mark.parametrize("lengths", [(0, 0, 0), (-1, 100, 70)])
def test_phases_of_no_epochs_at_all_or_fewer_than_none_are_refused(lengths: tuple[int, int, int]) -> None:
    with pytest.raises(OptionInvalid, match="self-study"):
        settled(QKD(), dict(zip(("self_study", "co_study", "tutoring"), lengths, strict=True)))


def test_full_precision_declines_a_width_of_first_and_last_layers() -> None:
    cell = Cell("shapes10", "resnet20", "qkd", FULL, "paper", options={"first_last_bits": 8})
    assert QKD().declines(cell)
    assert QKD().declines(cell.but(options={"first_last_bits": 0})) is None
    assert QKD().declines(cell.but(bits=Bits(4, 4))) is None


def test_the_tutor_moves_in_co_study_alone() -> None:
    given = studies()
    source, learner = halves(given)
    before, moved = snapshot(learner.tutor), {}
    for step in given.schedule.walk():
        learner.learn(step, source.draw(step, nn.Identity()))
        if step.last:
            moved[step.phase] = changed(before, learner.tutor)
            before = snapshot(learner.tutor)
    assert moved[SELF_STUDY] == moved[TUTORING] == set()
    assert moved[CO_STUDY] == before.keys()


def test_a_fixed_tutor_stays_as_it_was_and_teaches() -> None:
    given = studies(options=lengths("TU"))
    _, learner = until(given, 2)
    assert changed(snapshot(network("resnet32")), learner.tutor) == set()
    alone = until(studies(options=lengths("SS")), 2)[1]
    assert len(changed(snapshot(alone.student()), learner.student())) > 40


def test_the_student_moves_in_every_phase_with_its_batch_norms_statistics() -> None:
    given = studies()
    source, learner = halves(given)
    for step in given.schedule.walk():
        before = snapshot(learner.student())
        learner.learn(step, source.draw(step, nn.Identity()))
        moved = changed(before, learner.student())
        assert {name for name in before if name.endswith(("conv.weight", "running_mean", "tracked"))} <= moved
        assert all(size.grad.isfinite() and size.grad != 0 for size in learner.steps), step.phase
        assert any(name.endswith("step") for name in moved), step.phase


def test_learning_rates_follow_a_cosine_the_tutors_over_co_study_alone() -> None:
    given = studies(steps=4)
    source, learner = halves(given)
    rates: list[tuple[float, float]] = []
    for step in given.schedule.walk():
        learner.learn(step, source.draw(step, nn.Identity()))
        rates.append((learner.sgd.param_groups[0]["lr"], learner.tutor_sgd.param_groups[0]["lr"]))
    assert [student for student, _ in rates[::3]] == pytest.approx([1e-2, 8.535534e-3, 5e-3, 1.464466e-3])
    assert [tutor for _, tutor in rates[4:8]] == pytest.approx([1e-2, 8.535534e-3, 5e-3, 1.464466e-3])
    assert {group["lr"] for group in learner.sgd.param_groups} == {rates[-1][0]}


def test_layer_weights_alone_decay() -> None:
    learner = QKD().learner(studies())
    for sgd, model in ((learner.sgd, learner.model), (learner.tutor_sgd, learner.tutor)):
        decayed, others = sgd.param_groups
        assert (decayed["weight_decay"], others["weight_decay"]) == (1e-4, 0)
        assert {g["momentum"] for g in sgd.param_groups} == {0.9}
        assert not any(g["nesterov"] for g in sgd.param_groups)
        weights = [m.weight for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        assert {id(p) for p in decayed["params"]} == {id(w) for w in weights}
        assert len(decayed["params"]) + len(others["params"]) == len(list(model.parameters()))


def test_plain_step_gradients_have_rates_of_their_own() -> None:
    learner = QKD().learner(studies(options={"step_gradient": "plain"}))
    groups = learner.sgd.param_groups
    assert [g["lr"] for g in groups] == [1e-2, 1e-2, 1e-4, 1e-2]
    assert [len(g["params"]) for g in groups[2:]] == [22, 22]
    assert [g["weight_decay"] for g in groups] == [1e-4, 0, 0, 0]
    assert sum(len(g["params"]) for g in groups) == len(list(learner.model.parameters()))
    assert not any(m.scaled or m.input.scaled for m in learner.model.modules() if isinstance(m, LearnedWeight))


def test_steps_stay_positive_whatever_their_gradients() -> None:
    given = studies(options={"step_gradient": "plain", "weight_step_rate": 1e6, "input_step_rate": 1e6})
    _, learner = until(given, 1)
    steps = [*weight_steps(learner.model), *input_steps(learner.model)]
    assert min(float(step.detach()) for step in steps) == pytest.approx(1e-8)


# 32 bits


def test_at_32_bits_the_same_phases_train_the_network_in_full_precision() -> None:
    given = studies("W32A32")
    source, learner = halves(given)
    assert changed(snapshot(network()), learner.student()) == set()
    assert input_steps(learner.model) == weight_steps(learner.model) == []
    run(given, source, learner)
    assert set(snapshot(learner.student())) == set(snapshot(network()))
    assert len(changed(snapshot(network()), learner.student())) > 100


# what the harness relies on


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_run_continued_from_its_stored_state_ends_bit_for_bit_the_same(stop: int) -> None:
    given = studies(batch=3)
    source, learner = until(given, stop)
    states = stored(source), stored(learner)
    run(given, source, learner, start=stop)
    again, learner_again = halves(given)
    again.load(states[0])
    learner_again.load(states[1])
    run(given, again, learner_again, start=stop)
    assert changed(snapshot(learner.student()), learner_again.student()) == set()
    assert changed(snapshot(learner.tutor), learner_again.tutor) == set()


def test_learners_that_share_a_source_end_as_if_each_had_run_alone() -> None:
    shared = studies("W3A3")
    source, three = halves(shared)
    four = QKD().learner(studies("W4A4"))
    run(shared, source, three, four)
    for bits, learner in (("W3A3", three), ("W4A4", four)):
        alone = until(studies(bits), 6)[1]
        assert changed(snapshot(alone.student()), learner.student()) == set()
        assert changed(snapshot(alone.tutor), learner.tutor) == set()


def test_the_source_never_looks_at_the_student() -> None:
    class Unseen(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError("QKD's source looked at the student")

    assert QKD().source(studies()).draw(studies().schedule.step(0), Unseen()).images.shape == (4, 3, 32, 32)


def test_without_training_images_there_is_no_learner() -> None:
    with pytest.raises(DataAccessDenied):
        QKD().learner(setup(QKD()))


def test_building_a_learner_takes_nothing_from_the_source() -> None:
    given = studies()
    source = QKD().source(given)
    QKD().learner(given)
    first = QKD().source(given).draw(given.schedule.step(0), nn.Identity())
    assert torch.equal(source.draw(given.schedule.step(0), nn.Identity()).images, first.images)


def test_evaluating_the_student_changes_nothing() -> None:
    _, learner = until(studies(), 3)
    before, tutor = snapshot(learner.student()), snapshot(learner.tutor)
    assert not any(m.training for m in learner.student().modules())
    logits = learner.student()(images())
    assert torch.equal(learner.student()(images()), logits)
    assert changed(before, learner.student()) == set()
    assert changed(tutor, learner.tutor) == set()


@pytest.mark.parametrize("name", ["resnet20", "mobilenetv2_w025"])
@pytest.mark.parametrize("ends", [0, 8])
def test_every_layers_input_and_weight_is_quantized(name: str, ends: int) -> None:
    """The levels are counted at the products themselves; a linear bottleneck's input is signed and quantized too."""
    learner = QKD().learner(studies("W3A3", name, options={"first_last_bits": ends}))
    found = census.take(learner.student(), images())
    assert found.violations == []
    assert not [line for line in found.unquantized if line.startswith(("input of", "weight of"))]
    layers = [m for m in learner.model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert all(isinstance(m, LearnedWeight) for m in layers)
    assert found.groups == 2 * len(layers)
    assert (found.weight_levels > 2**3) == (found.activation_levels > 2**3) == (ends == 8)


def test_bfloat16_trains_in_bfloat16_and_keeps_single_precision_parameters() -> None:
    given = studies(precision="bf16", steps=1)
    source, learner = halves(given)
    exact = QKD().learner(studies(steps=1))
    for step in given.schedule.walk():
        batch = source.draw(step, nn.Identity())
        near, losses = exact.learn(step, batch), learner.learn(step, batch)
        for name, loss in losses.items():
            assert float(loss) == pytest.approx(float(near[name]), rel=0.3, abs=0.1), (step.phase, name)
    networks = (learner.student(), learner.tutor)
    assert all(p.dtype == torch.float32 and p.isfinite().all() for n in networks for p in n.parameters())
    assert learner.student()(images()).dtype == torch.float32

"""Schedules: phases, the shortened forms of published ones, and learning-rate decay."""

from __future__ import annotations

import pytest

from bench.errors import UnknownName
from bench.schedule import Phase, Schedule
from methods.gdfq import GDFQ
from methods.pretrain import Pretrain


def epochs(schedule: Schedule) -> list[int]:
    return [phase.epochs for phase in schedule.phases]


def of(*lengths: int, milestones: tuple[int, ...] = ()) -> Schedule:
    phases = tuple(Phase(f"phase {i}", length) for i, length in enumerate(lengths))
    return Schedule(phases, batch=200, steps=200, milestones=milestones)


def test_gdfqs_published_schedule() -> None:
    schedule = GDFQ.card.schedule
    assert (epochs(schedule), schedule.batch, schedule.steps) == ([4, 396], 200, 200)
    assert schedule.total == 80_000
    assert schedule.published


@pytest.mark.parametrize(
    ("epoch", "factor"),
    [(0, 1), (4, 1), (99, 1), (100, 0.1), (199, 0.1), (200, 0.01), (299, 0.01), (300, 0.001), (399, 0.001)],
)
def test_learning_rate_drops_at_the_start_of_each_milestone(epoch: int, factor: float) -> None:
    assert GDFQ.card.schedule.decay(epoch) == pytest.approx(factor, rel=1e-12)


def test_quick_gdfq_is_16_epochs_with_one_of_warm_up_and_scaled_milestones() -> None:
    quick = GDFQ.card.schedule.named("quick")
    assert (epochs(quick), quick.milestones) == ([1, 15], (4, 8, 12))
    assert (quick.batch, quick.steps, quick.published) == (200, 200, False)
    assert [phase.name for phase in quick.phases] == [phase.name for phase in GDFQ.card.schedule.phases]


def test_smoke_gdfq_is_two_epochs_of_20_steps_without_decay() -> None:
    smoke = GDFQ.card.schedule.named("smoke")
    assert (epochs(smoke), smoke.steps, smoke.total, smoke.published) == ([1, 1], 20, 40, False)
    assert [smoke.decay(epoch) for epoch in range(2)] == [1, 1]


@pytest.mark.parametrize(
    ("name", "expected", "milestones"), [("40-epochs", [1, 39], (10, 20, 30)), ("1-epochs", [1, 1], (2, 2, 2))]
)
def test_any_number_of_epochs_can_be_named(name: str, expected: list[int], milestones: tuple[int, ...]) -> None:
    shortened = GDFQ.card.schedule.named(name)
    assert (epochs(shortened), shortened.milestones) == (expected, milestones)
    assert (shortened.steps, shortened.published) == (200, False)


def test_the_published_form_is_the_schedule_itself() -> None:
    assert GDFQ.card.schedule.named("paper") is GDFQ.card.schedule


@pytest.mark.parametrize(
    ("published", "quick"),
    [
        ((30, 100, 70), [1, 4, 3]),
        ((4, 196), [1, 7]),
        ((200,), [8]),
        ((151,), [6]),
        ((400,), [16]),
        ((396, 4), [15, 1]),
        ((1, 1, 398), [1, 1, 14]),
        ((398, 1, 1), [14, 1, 1]),
    ],
)
def test_quick_is_a_25th_of_all_epochs_and_every_phase_keeps_one(published: tuple[int, ...], quick: list[int]) -> None:
    assert epochs(of(*published).named("quick")) == quick


@pytest.mark.parametrize(
    ("published", "smoke"), [((400,), [2]), ((396, 4), [1, 1]), ((30, 100, 70), [1, 1, 1]), ((100, 30, 70), [1, 1, 1])]
)
def test_smoke_is_two_epochs_or_one_a_phase(published: tuple[int, ...], smoke: list[int]) -> None:
    assert epochs(of(*published).named("smoke")) == smoke


def test_akts_quick_schedule_decays_at_the_scaled_epoch() -> None:
    quick = of(4, 196, milestones=(100, 200, 300)).named("quick")
    assert [quick.decay(epoch) for epoch in range(8)] == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1])


def test_shortened_phases_keep_whether_the_student_is_trained() -> None:
    schedule = Schedule((Phase("a", 4, updates=False), Phase("b", 396)), batch=1, steps=1)
    for name in ("quick", "smoke"):
        assert [phase.updates for phase in schedule.named(name).phases] == [False, True]


def test_unknown_forms_are_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownName, match=r"schedule 'quik'.*quick"):
        GDFQ.card.schedule.named("quik")


def test_steps_are_one_pass_over_the_images_where_none_are_given() -> None:
    schedule = Pretrain.card.schedule
    with pytest.raises(ValueError, match="sized"):
        _ = schedule.total
    assert schedule.sized(50_000).steps == 390
    assert schedule.sized(10).steps == 1
    assert schedule.named("smoke").sized(50_000).steps == 20
    assert GDFQ.card.schedule.sized(50_000).steps == 200


def test_walking_visits_every_step_with_its_epoch_and_phase() -> None:
    schedule = Schedule((Phase("a", 1), Phase("b", 2)), batch=1, steps=3)
    steps = list(schedule.walk())
    assert [step.index for step in steps] == list(range(9))
    assert [step.epoch for step in steps] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert "".join(step.phase for step in steps) == "aaabbbbbb"
    assert [step.index for step in steps if step.first] == [0, 3, 6]
    assert [step.index for step in steps if step.last] == [2, 5, 8]
    assert [step.progress for step in steps] == pytest.approx([i / 9 for i in range(9)])


def test_walking_can_start_anywhere() -> None:
    schedule = Schedule((Phase("a", 1), Phase("b", 2)), batch=1, steps=3)
    assert list(schedule.walk(4)) == list(schedule.walk())[4:]
    assert list(schedule.walk(9)) == []


def test_there_is_no_phase_beyond_the_end() -> None:
    with pytest.raises(IndexError):
        of(4, 396).phase_of(400)

"""The contract: options are checked before anything runs, versions compose, random streams are a seed's own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import pytest
import torch
from tiny import setup

from bench.errors import DataAccessDenied, OptionInvalid
from bench.method import Card, Method, options_of, version_of
from bench.schedule import Phase, Schedule
from bench.spec import Bits, Cell
from methods.gdfq import GDFQ, Options


@dataclass(frozen=True)
class Settings:
    rate: float = 0.1
    layers: int = 3
    mode: Literal["fast", "exact"] = "fast"
    label: str = "x"
    centred: bool = False


SCHEDULE = Schedule((Phase("train", 1),), batch=1, steps=1)
CARD = Card("mine", "1", "", "", SCHEDULE, options=Settings)
BARE = Card("bare", "1", "", "", SCHEDULE)


def test_options_left_out_have_their_defaults() -> None:
    assert options_of(CARD, {}) == Settings()
    assert options_of(CARD, {"layers": 5, "mode": "exact"}) == Settings(layers=5, mode="exact")
    assert options_of(GDFQ.card, {}) == Options()
    assert options_of(BARE, {}) is None


def test_every_mistake_is_listed_at_once() -> None:
    with pytest.raises(OptionInvalid) as caught:
        options_of(CARD, {"rat": 1, "label": 1, "layers": "3", "mode": "quick", "centred": 1, "colour": 2})
    message = str(caught.value)
    for part in (
        "unknown option of mine 'rat'; did you mean rate?",
        "option label of mine must be str (default 'x'), not 1",
        "option layers of mine must be int (default 3), not '3'",
        "option mode of mine must be one of 'fast', 'exact' (default 'fast'), not 'quick'",
        "option centred of mine must be bool (default False), not 1",
        "unknown option of mine 'colour'",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", "0.1"),
        ("rate", True),
        ("rate", None),
        ("layers", 3.0),
        ("layers", True),
        ("mode", "FAST"),
        ("mode", 1),
        ("label", 1),
        ("centred", "yes"),
    ],
)
def test_values_of_the_wrong_type_are_refused(name: str, value: Any) -> None:
    with pytest.raises(OptionInvalid, match=f"option {name} of mine"):
        options_of(CARD, {name: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    with pytest.raises(OptionInvalid, match="option rate of mine"):
        options_of(CARD, {"rate": value})


def test_a_near_miss_of_a_choice_is_refused_for_gdfq_too() -> None:
    with pytest.raises(OptionInvalid, match="'auto', 'published', 'corrected'"):
        options_of(GDFQ.card, {"ranges": "correct"})


def test_whole_numbers_given_for_a_float_are_the_same_experiment() -> None:
    found = options_of(CARD, {"rate": 2})
    assert repr(found) == repr(options_of(CARD, {"rate": 2.0}))
    assert isinstance(asdict(found)["rate"], float)


def test_options_of_a_method_without_any_are_refused() -> None:
    with pytest.raises(OptionInvalid, match="'bare' has no options, but got depth, rate"):
        options_of(BARE, {"rate": 1, "depth": 2})


class Base(Method):
    card = Card("base", "2", "", "", SCHEDULE)

    def source(self, given: Any) -> Any: ...

    def learner(self, given: Any) -> Any: ...


class Derived(Base):
    card = Card("derived", "7", "", "", SCHEDULE)


class Renamed(Derived):
    pass


def test_versions_compose_with_those_of_the_methods_they_build_on() -> None:
    assert version_of(Base(), {}) == "base-2"
    assert version_of(Derived(), {}) == version_of(Renamed(), {}) == "derived-7+base-2"


def test_methods_decline_nothing_unless_they_say_so() -> None:
    assert Base().declines(Cell("cifar10", "resnet20", "base", Bits(4, 4), "quick")) is None


def test_streams_depend_on_seed_and_name_alone() -> None:
    def first(name: str, **changes: Any) -> float:
        return float(torch.rand((), generator=setup(GDFQ(), **changes).stream(name)))

    assert first("noise") == first("noise", bits="W3A3", precision="bf16")
    assert len({first("noise"), first("data"), first("noise", seed=1)}) == 3


def test_seeded_blocks_repeat_and_leave_the_global_stream_as_it_was() -> None:
    given = setup(GDFQ())
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with given.seeded("generator"):
        inside = torch.rand(2)
    assert torch.equal(torch.rand(2), expected)
    with given.seeded("generator"):
        assert torch.equal(torch.rand(2), inside)


def test_a_method_without_data_access_is_refused_training_images() -> None:
    with pytest.raises(DataAccessDenied):
        setup(GDFQ()).images()

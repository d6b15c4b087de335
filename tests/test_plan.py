"""Plans: which cells a suite has and leaves, which models they need, what they decline, and which share a source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from recordfactory import make_record
from workplace import CLASSES, Workplace, give_teacher, make

from bench import records
from bench.data import describe
from bench.errors import BenchError, ModelMissing
from bench.models import TeacherCard, build, publish
from bench.models.weights import fingerprint
from bench.spec import FULL, Bits
from bench.suite import Suite, Variant
from bench.sweep.place import Place
from bench.sweep.plan import Plan, Planned
from bench.sweep.plan import make as plan_of
from bench.sweep.pretraining import missing
from bench.sweep.show import show
from bench.sweep.wish import Wish, bits_patterns, seed_patterns


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    made = make(tmp_path)
    give_teacher(made)
    return made


def suite(*methods: Variant, bits: tuple[Bits, ...] = (Bits(4, 4), Bits(3, 3))) -> Suite:
    axes = {"dataset": ["tiny"], "model": ["resnet20"], "method": list(methods), "bits": list(bits)}
    return Suite("test", axes | {"schedule": ["smoke"], "precision": ["fp32"], "seed": [0]})


def where(place: Workplace) -> Place:
    return Place(place.results, place.data, "cpu", 1)


def plan(place: Workplace, given: Suite, *, missing_allowed: bool = False, **wish: Any) -> Plan:
    return plan_of(given, Wish(**wish), where(place), missing_allowed=missing_allowed)


def finish(place: Workplace, planned: Planned, status: str = "ok", **overrides: Any) -> Path:
    """Leave a record of a cell."""
    facts = {"id": planned.id, "platform": where(place).platform, "spec": planned.cell.plain()}
    return records.write(place.results, make_record(**facts, status=status, **overrides))


def give(place: Workplace, model: str, **changes: Any) -> str:
    """Publish an untrained network of `tiny`; its sha256."""
    torch.manual_seed(1)
    state = build(model, CLASSES).state_dict()
    facts = describe("tiny", place.data)
    card = TeacherCard("tiny", model, CLASSES, fingerprint(state), facts.mean, facts.std, "measured", top1=0.25)
    publish(place.results, replace(card, **changes), state)
    return card.sha256


QKD = Variant("qkd", {"tutor": "resnet56"})


def test_variants_of_a_method_are_cells_of_their_own(place: Workplace) -> None:
    found = plan(place, suite(Variant("bag"), Variant("bag", {"attention": "none"}), bits=(Bits(3, 3),)))
    assert [p.cell.options["attention"] for p in found.cells] == ["CA-a", "none"]
    assert len({p.id for p in found.cells}) == 2


@pytest.mark.parametrize(
    ("variant", "groups"),
    [
        (Variant("gdfq"), 1),
        (Variant("adadfq"), 2),
        (Variant("akt", {"base": "gdfq"}), 1),
        (Variant("akt", {"base": "adadfq"}), 2),
        (Variant("hast"), 1),
        (Variant("finetune"), 1),
    ],
)
def test_widths_share_a_source_where_it_does_not_look_at_the_student(
    place: Workplace, variant: Variant, groups: int
) -> None:
    assert len(plan(place, suite(variant)).groups()) == groups


def test_a_tutor_of_another_network_is_named_in_the_cell(place: Workplace) -> None:
    tutor = give(place, "resnet56")
    (planned,) = plan(place, suite(QKD, bits=(Bits(4, 4),))).cells
    assert planned.cell.tutor == tutor
    assert planned.cell.init != tutor


def test_a_missing_tutor_is_named_with_the_command_that_makes_it(place: Workplace) -> None:
    with pytest.raises(ModelMissing, match="pretrain --dataset tiny --model resnet56"):
        plan(place, suite(QKD))


def test_a_tutor_with_another_normalisation_is_declined(place: Workplace) -> None:
    give(place, "resnet56", mean=(0.1, 0.2, 0.3))
    (planned,) = plan(place, suite(QKD, bits=(Bits(4, 4),))).cells
    assert (planned.status, planned.done) == ("skipped", True)
    assert "tutor resnet56 and init resnet20 normalise images differently" in planned.why


def test_full_bits_are_declined_but_by_methods_that_go_on_without_a_quantizer(place: Workplace) -> None:
    given = suite(Variant("gdfq"), Variant("qkd", {"tutor": "resnet20"}), bits=(FULL,))
    declined, left = plan(place, given).cells
    assert (declined.cell.method, declined.status, left.cell.method, left.status) == ("gdfq", "skipped", "qkd", "left")
    assert "gdfq quantizes, and W32A32 leaves nothing to quantize" in declined.why


def test_large_groups_go_first(place: Workplace) -> None:
    found = plan(place, suite(Variant("adadfq"), Variant("gdfq"))).groups()
    assert [[planned.cell.method for planned in group] for group in found] == [
        ["gdfq", "gdfq"],
        ["adadfq"],
        ["adadfq"],
    ]


def test_a_declined_cell_is_left_out_of_the_groups_and_wants_a_record_until_it_has_one(place: Workplace) -> None:
    given = suite(Variant("gdfq"), bits=(FULL, Bits(4, 4)))
    found = plan(place, given)
    (declined,) = found.unrecorded
    assert [p.cell.bits for group in found.groups() for p in group] == [Bits(4, 4)]
    assert finish(place, declined, "skipped") == declined.path
    again = plan(place, given)
    assert again.unrecorded == [] and again.cells[0].id == declined.id
    assert (again.cells[0].status, again.cells[0].why) == ("skipped", "made skipped by a test")


def test_a_failure_gives_way_to_a_decline_and_a_result_does_not(place: Workplace) -> None:
    given = suite(Variant("gdfq"), bits=(FULL,))
    (declined,) = plan(place, given).cells
    for status, shown in (("failed", "skipped"), ("ok", "ok")):
        finish(place, declined, status)
        found = plan(place, given)
        assert found.cells[0].status == shown and len(found.unrecorded) == (shown == "skipped")


@pytest.mark.parametrize(
    ("status", "left"),
    [("ok", 0), ("diverged", 0), ("skipped", 0), ("failed", 1), ("timeout", 1), ("oom", 1)],
)
def test_a_record_ends_a_cell_unless_another_try_may_help(place: Workplace, status: str, left: int) -> None:
    given = suite(Variant("gdfq"), bits=(Bits(4, 4),))
    finish(place, plan(place, given).cells[0], status)
    found = plan(place, given)
    assert found.cells[0].status == status
    assert len(found.left) == left


def test_a_record_that_cannot_be_read_leaves_the_cell_and_says_why(place: Workplace) -> None:
    given = suite(Variant("gdfq"), bits=(Bits(4, 4),))
    path = finish(place, plan(place, given).cells[0])
    path.write_text(path.read_text().replace('"last": 0.875', '"last": 0.975'))
    (planned,) = plan(place, given).left
    assert planned.status == "left"
    assert planned.why.startswith(f"{path}: the result does not match its digest")


def test_missing_models_are_collected_with_the_cells_that_wait_for_them(place: Workplace) -> None:
    found = plan(place, suite(Variant("gdfq"), QKD), missing_allowed=True)
    assert [p.cell.method for p in found.cells] == ["gdfq", "gdfq"]
    assert [(w.cell.method, w.models) for w in found.waiting] == [("qkd", ("resnet56",))] * 2
    (model,) = found.missing
    assert (model.dataset, model.model, model.cells) == ("tiny", "resnet56", 2)
    assert model.command == "python -m bench pretrain --dataset tiny --model resnet56"


def test_nothing_is_missing_where_a_file_of_weights_is_given(place: Workplace) -> None:
    give(place, "resnet20")
    file = (place.results / "teachers" / "tiny-resnet20.safetensors").rename(place.data / "mine.safetensors")
    own = replace(where(place), teacher=file)
    found = plan_of(suite(Variant("gdfq"), QKD), Wish(), own, missing_allowed=True)
    assert [p.cell.method for p in found.cells] == ["gdfq", "gdfq"]
    assert [(m.model, m.cells) for m in found.missing] == [("resnet56", 2)]


def test_no_model_is_wanted_for_cells_that_are_declined_with_it_too(place: Workplace) -> None:
    given = suite(Variant("hast"), Variant("gdfq"), bits=(FULL,))
    given.axes["model"] = ["resnet32"]
    found = plan(place, given)
    assert found.missing == [] and missing(given, Wish(), where(place)) == []
    assert [bool(waiting.declined) for waiting in found.waiting] == [True, True]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("W4A4", ["W4A4"]),
        ("4", ["W4A4"]),
        ("w4a4,3", ["W4A4", "W3A3"]),
        ("W*A4", ["W4A4", "W3A4"]),
        ("w[34]a4 8", ["W4A4", "W3A4", "W8A8"]),
        ("W[!4]*", ["W3A4", "W3A3", "W8A8"]),
    ],
)
def test_bits_are_chosen_by_width_or_pattern(place: Workplace, text: str, kept: list[str]) -> None:
    given = suite(Variant("gdfq"), bits=(Bits(4, 4), Bits(3, 4), Bits(3, 3), Bits(8, 8)))
    assert [str(p.cell.bits) for p in plan(place, given, bits=bits_patterns(text)).cells] == kept


@pytest.mark.parametrize(
    ("text", "kept"), [("0", [0]), ("03,11", [3, 11]), ("[0-2]", [0, 1, 2]), ("1?", [10, 11]), ("[!0-8]", [9])]
)
def test_seeds_are_chosen_by_number_or_pattern(place: Workplace, text: str, kept: list[int]) -> None:
    found = plan(place, suite(Variant("gdfq"), bits=(Bits(4, 4),)), seeds=12, seed=seed_patterns(text))
    assert [p.cell.seed for p in found.cells] == kept


def test_filters_that_leave_nothing_are_named(place: Workplace) -> None:
    with pytest.raises(BenchError, match=r"no cell of suite 'test' matches; drop a filter .*--bits, --seed"):
        plan(place, suite(Variant("gdfq")), seed=("1",))


@pytest.mark.parametrize(
    ("read", "text", "told"),
    [
        (bits_patterns, "W9A9", "outside W2A2..W8A8"),
        (bits_patterns, "four", "not of the form W4A4 or 4"),
        (bits_patterns, "W9*", "match no width from W2A2 to W8A8"),
        (bits_patterns, "W[3,4]A4", "'W\\[3' match no width"),
        (seed_patterns, "-1", "neither a whole number from 0 nor a pattern"),
        (seed_patterns, "0x", "neither a whole number from 0 nor a pattern"),
        (seed_patterns, "[ab]", "neither a whole number from 0 nor a pattern"),
    ],
)
def test_what_is_no_pattern_is_told(read: Any, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read(text)


RATES = {("resnet20", "gdfq", "fp32"): 30.0}


def test_the_plan_in_words(place: Workplace) -> None:
    given = suite(Variant("gdfq"), Variant("adadfq"), QKD, bits=(Bits(4, 4), Bits(3, 3), FULL))
    finish(place, plan(place, given, missing_allowed=True).cells[0])
    assert show(plan(place, given, missing_allowed=True, seeds=2), RATES).splitlines() == [
        f"suite test on {where(place).platform}: 14 cells, 1 done, 13 left, "
        "6 of them waiting for a full-precision model; 4 not run",
        "  done: 1 gdfq",
        "  first: python -m bench pretrain --dataset tiny --model resnet56 (6 cells wait for it)",
        "  tiny resnet20 gdfq W4A4 W3A3 smoke fp32 seed 1: 2 epochs of 20 steps, batch 200, one source for 2 cells",
        "  tiny resnet20 gdfq W3A3 smoke fp32 seed 0: 2 epochs of 20 steps, batch 200",
        "  tiny resnet20 adadfq W4A4 W3A3 smoke fp32 seeds 0, 1: 2 epochs of 20 steps, batch 16",
        "  not run: tiny gdfq-resnet20-smoke-s0 and 1 more: "
        "gdfq quantizes, and W32A32 leaves nothing to quantize; give W2A2 to W8A8",
        "  not run: tiny adadfq-resnet20-smoke-s0 and 1 more: "
        "adadfq quantizes, and W32A32 leaves nothing to quantize; give W2A2 to W8A8",
        "estimated time: 60 minutes, from the best rate measured on this kind of device; "
        "not counted: 4 cells of adadfq, not measured yet",
    ]


def test_the_estimate_of_a_network_is_not_that_of_another(place: Workplace) -> None:
    give(place, "resnet32")
    given = suite(Variant("gdfq"))
    given.axes["model"] = ["resnet32"]
    assert "estimated time: unknown, as no cell of gdfq was measured" in show(plan(place, given), RATES)


def test_models_to_train_first_are_those_of_the_wished_cells_alone(place: Workplace) -> None:
    given = suite(Variant("gdfq"), QKD, Variant("qkd", {"tutor": "resnet20"}))
    assert [(p.dataset, p.model) for p in missing(given, Wish(), where(place))] == [("tiny", "resnet56")]
    assert missing(given, Wish(method="gdfq"), where(place)) == []
    (place.results / "teachers" / "tiny-resnet20.json").unlink()
    assert [p.model for p in missing(given, Wish(), where(place))] == ["resnet20", "resnet56"]
    assert missing(given, Wish(dataset="cifar*"), where(place)) == []

"""Plans: which cells a suite has, which models they need, what they decline, and which share a source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from workplace import CLASSES, Workplace, give_teacher, make

from bench.data import describe
from bench.errors import ModelMissing
from bench.models import TeacherCard, build, publish
from bench.models.weights import fingerprint
from bench.spec import FULL, Bits
from bench.suite import Suite, Variant
from bench.sweep.plan import Place, Plan, Wish
from bench.sweep.plan import make as plan_of
from bench.sweep.pretraining import missing


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


def plan(place: Workplace, given: Suite, **wish: Any) -> Plan:
    return plan_of(given, Wish(**wish), where(place))


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
    found = plan(place, suite(QKD, bits=(Bits(4, 4),)))
    assert found.cells == []
    assert "tutor resnet56 and init resnet20 normalise images differently" in found.declined[0]


def test_full_bits_are_declined_but_by_methods_that_go_on_without_a_quantizer(place: Workplace) -> None:
    given = suite(Variant("gdfq"), Variant("qkd", {"tutor": "resnet20"}), bits=(FULL,))
    found = plan(place, given)
    assert [p.cell.method for p in found.cells] == ["qkd"]
    assert len(found.declined) == 1
    assert "gdfq quantizes, and W32A32 leaves nothing to quantize" in found.declined[0]


def test_models_to_train_first_are_those_of_the_wished_cells_alone(place: Workplace) -> None:
    given = suite(Variant("gdfq"), QKD, Variant("qkd", {"tutor": "resnet20"}))
    assert [(p.dataset, p.model) for p in missing(given, Wish(), where(place))] == [("tiny", "resnet56")]
    assert missing(given, Wish(method="gdfq"), where(place)) == []
    (place.results / "teachers" / "tiny-resnet20.json").unlink()
    assert [p.model for p in missing(given, Wish(), where(place))] == ["resnet20", "resnet56"]
    assert missing(given, Wish(dataset="cifar*"), where(place)) == []

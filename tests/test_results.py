"""What is committed under results/ holds: models match their cards, records pass their gates, tables are current."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from bench import records
from bench.models.teachers import find
from bench.records import Record
from bench.report import table
from bench.spec import Bits, Cell

RESULTS = Path(__file__).resolve().parents[1] / "results"
CLASSES = {"cifar10": 10, "cifar100": 100, "shapes10": 10, "shapes100": 100}
TEACHERS = sorted(path.stem for path in (RESULTS / "teachers").glob("*.safetensors"))


def gdfq_on_cifar10(bits: Bits, schedule: str = "quick") -> Record:
    """The committed record of GDFQ, seed 0."""
    wanted = ("cifar10", "gdfq", bits, schedule, 0)
    (found,) = [
        record
        for record in records.load(RESULTS)
        if (c := record.cell) and (c.dataset, c.method, c.bits, c.schedule, c.seed) == wanted
    ]
    return found


def correct(packed: str, images: int) -> np.ndarray:
    """Correctness of each test image from a record's packed bits."""
    return np.unpackbits(np.frombuffer(base64.b64decode(packed), np.uint8), count=images).astype(bool)


@pytest.mark.parametrize("name", TEACHERS)
def test_each_teacher_loads_and_is_the_one_of_its_card(name: str) -> None:
    dataset, model = name.split("-", 1)
    found = find(RESULTS, dataset, model)
    found.network(CLASSES[dataset])
    assert found.card.top1 is not None


def test_the_cifar10_teacher_reaches_the_floor_of_its_recipe() -> None:
    assert find(RESULTS, "cifar10", "resnet20").card.top1 >= 0.915


@pytest.mark.parametrize("bits", [Bits(8, 8), Bits(4, 4), Bits(3, 3)])
def test_gdfq_records_are_finished_and_have_at_most_2_to_the_k_levels(bits: Bits) -> None:
    record = gdfq_on_cifar10(bits)
    assert record.ok
    assert record.result["census"]["violations"] == []
    assert record.result["census"]["weight_levels"] <= 2**bits.w
    assert record.result["census"]["activation_levels"] <= 2**bits.a


def test_w8a8_is_within_half_a_point_of_full_precision_before_the_first_update() -> None:
    top1 = gdfq_on_cifar10(Bits(8, 8)).result["top1"]
    assert abs(top1["untrained"] - top1["init"]) <= 0.005


CIFAR = ("cifar10", "cifar100")
CONTROLS = {"bag": ("generator", "attention"), "akt": ("base", "form")}
BOTH, OFF = "weights+activations", ("none", "none")


@pytest.mark.parametrize(("bits", "schedule"), [(Bits(4, 4), "40-epochs"), (Bits(3, 3), "quick")])
def test_training_helps_at_low_bits_by_exact_mcnemar(bits: Bits, schedule: str) -> None:
    """At W4A4 16 epochs, `quick`, are too short for this: p = 0.0075 there."""
    record = gdfq_on_cifar10(bits, schedule)
    before, after = (correct(record.result[k], record.data["images"]) for k in ("correct_untrained", "correct"))
    assert after.mean() == pytest.approx(record.result["top1"]["last"])
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    assert won > lost
    assert binomtest(won, won + lost).pvalue < 0.001


def trained_at_3_bits() -> list[Record]:
    """The committed `quick` records of methods that train a student at W3A3."""
    chosen = [r for r in records.load(RESULTS) if (c := r.cell) and (c.bits, c.schedule) == (Bits(3, 3), "quick")]
    return [record for record in chosen if record.cell.method != "ptq"]


def test_3_bit_records_are_of_every_control_that_the_claims_need() -> None:
    found = {(c.dataset, c.method, *(c.options[k] for k in CONTROLS.get(c.method, ()))) for c in cells_at_3_bits()}
    assert {(d, "adadfq") for d in CIFAR} <= found
    assert {(d, "akt", "adadfq", form) for d in CIFAR for form in (0, 1)} <= found
    assert {(d, "bag", g, a) for d in CIFAR for g in (BOTH, "none") for a in ("CA-a", "none") if (g, a) != OFF} <= found


def cells_at_3_bits() -> list[Cell]:
    return [record.cell for record in trained_at_3_bits()]


SWAMPED = "AKT's feature loss (about 200) swamps the logits' (1.7) on CIFAR-100: form 1 does not train; docs/methods.md"


def with_known_failures(record: Record) -> Any:
    """The record as a test parameter; the one that is known not to train is a strict expected failure."""
    cell = record.cell
    swamped = (cell.dataset, cell.method, cell.options.get("form")) == ("cifar100", "akt", 1)
    marks = [pytest.mark.xfail(strict=True, reason=SWAMPED)] if swamped else []
    return pytest.param(record, marks=marks, id=f"{cell.dataset}-{cell.method}-{record.id[:8]}")


@pytest.mark.parametrize("record", [with_known_failures(record) for record in trained_at_3_bits()])
def test_a_3_bit_student_ends_more_than_two_points_above_its_untrained_state(record: Record) -> None:
    top1 = record.result["top1"]
    assert record.ok
    assert top1["last"] > top1["untrained"] + 0.02
    assert record.result["census"]["violations"] == []


def test_stored_tables_are_what_the_records_give() -> None:
    assert table.stale(RESULTS) == []

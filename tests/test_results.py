"""What is committed under results/ holds: models match their cards, records pass their gates, tables are current."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from bench import records
from bench.models.teachers import find
from bench.records import Record
from bench.report import table
from bench.spec import Bits

RESULTS = Path(__file__).resolve().parents[1] / "results"
CLASSES = {"cifar10": 10, "cifar100": 100, "shapes10": 10, "shapes100": 100}
TEACHERS = sorted(path.stem for path in (RESULTS / "teachers").glob("*.safetensors"))


def gdfq_on_cifar10(bits: Bits) -> Record:
    """The committed record of GDFQ at the `quick` schedule, seed 0."""
    wanted = ("cifar10", "gdfq", bits, "quick", 0)
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


UNMET = "one seed gained 421 and lost 346 images (87.67 to 88.42 %, p = 0.0075): the gate of p < 0.001 is not met"


@pytest.mark.parametrize(
    "bits", [pytest.param(Bits(4, 4), marks=pytest.mark.xfail(strict=True, reason=UNMET)), Bits(3, 3)]
)
def test_training_helps_at_low_bits_by_exact_mcnemar(bits: Bits) -> None:
    record = gdfq_on_cifar10(bits)
    before, after = (correct(record.result[k], record.data["images"]) for k in ("correct_untrained", "correct"))
    assert after.mean() == pytest.approx(record.result["top1"]["last"])
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    assert won > lost
    assert binomtest(won, won + lost).pvalue < 0.001


def test_stored_tables_are_what_the_records_give() -> None:
    assert table.stale(RESULTS) == []

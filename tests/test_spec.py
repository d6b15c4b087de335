"""Bits, cells and their identity."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

import bench.spec
from bench.spec import FULL, Bits, Cell, group_key, identity

CELL = Cell(
    dataset="cifar10",
    model="resnet20",
    method="gdfq",
    bits=Bits(4, 4),
    schedule="quick",
    options={"temperature": 20.0, "ranges": "auto"},
    init="a" * 64,
    tutor="b" * 64,
)
CHANGES: dict[str, Any] = {
    "dataset": "cifar100",
    "model": "resnet32",
    "method": "adadfq",
    "bits": Bits(4, 3),
    "schedule": "paper",
    "seed": 1,
    "precision": "bf16",
    "options": {"temperature": 4.0, "ranges": "auto"},
    "init": "c" * 64,
    "tutor": "c" * 64,
}


def id_of(cell: Cell) -> str:
    return identity(cell, "gdfq-1", "fingerprint")


@pytest.mark.parametrize(
    ("text", "bits"), [("W4A4", Bits(4, 4)), ("w3a8", Bits(3, 8)), (" 5 ", Bits(5, 5)), ("2", Bits(2, 2)), ("32", FULL)]
)
def test_bits_are_read_from_text(text: str, bits: Bits) -> None:
    assert Bits.parse(text) == bits


@pytest.mark.parametrize("text", ["", "W4", "4A", "W4A", "A4W4", "W4A4A4", "four", "4.0", "W-4A4"])
def test_malformed_bits_are_refused_with_the_form_they_should_have(text: str) -> None:
    with pytest.raises(ValueError, match="not of the form W4A4"):
        Bits.parse(text)


@pytest.mark.parametrize("text", ["1", "9", "W1A4", "W4A9", "W4A32", "W32A4", "0"])
def test_bits_outside_two_to_eight_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"outside W2A2\.\.W8A8"):
        Bits.parse(text)


@pytest.mark.parametrize("bits", [Bits(4, 4), Bits(3, 8), FULL])
def test_bits_print_as_they_are_read(bits: Bits) -> None:
    assert Bits.parse(str(bits)) == bits


def test_a_cell_comes_back_from_its_plain_form() -> None:
    plain = json.loads(json.dumps(CELL.plain()))
    assert Cell.of(plain) == CELL
    assert plain["bits"] == {"w": 4, "a": 4}


def test_labels_name_the_experiment_for_people() -> None:
    assert CELL.label == "gdfq-resnet20-w4a4-quick-s0"
    assert CELL.but(bits=FULL, method="pretrain", seed=3).label == "pretrain-resnet20-quick-s3"


def test_identity_does_not_depend_on_the_order_of_options() -> None:
    shuffled = CELL.but(options=dict(reversed(CELL.options.items())))
    assert id_of(shuffled) == id_of(CELL)
    assert id_of(Cell.of(json.loads(json.dumps(CELL.plain(), sort_keys=True)))) == id_of(CELL)


def test_the_changes_below_cover_every_field() -> None:
    assert set(CHANGES) == {field.name for field in fields(Cell)}


@pytest.mark.parametrize("name", CHANGES)
def test_every_field_changes_the_identity(name: str) -> None:
    assert id_of(CELL.but(**{name: CHANGES[name]})) != id_of(CELL)


def test_version_data_and_rules_change_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {id_of(CELL), identity(CELL, "gdfq-2", "fingerprint"), identity(CELL, "gdfq-1", "other")}
    monkeypatch.setattr(bench.spec, "RULES", "another")
    assert len(ids | {id_of(CELL)}) == 4


def test_identity_is_the_same_in_every_process_and_version() -> None:
    cell = Cell("cifar10", "resnet20", "gdfq", Bits(4, 4), "quick")
    # a change of this value makes all stored results unknown to new programs
    assert identity(cell, "gdfq-1", "f").startswith("1eace229bb72ecf8")


def test_only_bits_may_differ_within_a_group() -> None:
    assert group_key(CELL) == group_key(CELL.but(bits=Bits(8, 2)))
    others = [group_key(CELL.but(**{name: value})) for name, value in CHANGES.items() if name != "bits"]
    assert group_key(CELL) not in others
    assert len(set(others)) == len(others)

"""`status`: how each cell of a suite stands, what has changed since it ran, and what is to be done first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from recordfactory import make_record
from workplace import Workplace, give_teacher, make

from bench import records
from bench.cli import main
from bench.files import canonical_json
from bench.locks import Owner, hold
from bench.method import defaults_of
from bench.records import Record
from bench.registry import get
from bench.runner.code import code_of
from bench.runner.job import lock_of
from bench.runner.progress import Far
from bench.spec import identity
from bench.suite import read
from bench.sweep.place import Place
from bench.sweep.plan import Planned
from bench.sweep.plan import make as plan_of
from bench.sweep.wish import Wish

Status = Callable[..., list[str]]
GDFQ_NOW = f"gdfq-{get('gdfq').card.version}"


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    made = make(tmp_path, bits='"W4A4", "W3A3"')
    give_teacher(made)
    return made


@pytest.fixture
def status(place: Workplace, capsys: pytest.CaptureFixture[str]) -> Status:
    """The lines that `status` prints."""

    def call(*arguments: str) -> list[str]:
        assert main(place.command("status", str(place.suite), *arguments, "--device", "cpu", "--threads", "1")[3:]) == 0
        return capsys.readouterr().out.splitlines()

    return call


def cells(place: Workplace) -> list[Planned]:
    return plan_of(read(place.suite), Wish(), Place(place.results, place.data, "cpu", 1)).cells


def record_of(place: Workplace, planned: Planned, **overrides: Any) -> Record:
    """A record of a cell as its run would leave it."""
    card = get(planned.cell.method).card
    facts = {"id": planned.id, "platform": Place(place.results, place.data, "cpu", 1).platform}
    method = {"version": planned.version, "defaults": defaults_of(card), "code": code_of("methods.gdfq")}
    plain = {"spec": planned.cell.plain(), "method": method, "data": {"fingerprint": planned.fingerprint}}
    return make_record(**(facts | plain | overrides))


def leave(place: Workplace, planned: Planned, **overrides: Any) -> Path:
    return records.write(place.results, record_of(place, planned, **overrides))


def test_each_cell_and_how_many_stand_alike(place: Workplace, status: Status) -> None:
    first, second = cells(place)
    leave(place, first)
    leave(place, second, status="failed", reason="Traceback (most recent call last):\n  ...\nValueError: no\n")
    assert status() == [
        f"ok        tiny gdfq-resnet20-w4a4-smoke-s0 {first.id[:16]}",
        f"failed    tiny gdfq-resnet20-w3a3-smoke-s0 {second.id[:16]}: ValueError: no",
        "2 cells: 1 ok, 1 failed",
    ]


@pytest.mark.parametrize("word", ["diverged", "skipped", "timeout", "oom"])
def test_a_cell_that_ended_otherwise_says_why(place: Workplace, status: Status, word: str) -> None:
    leave(place, cells(place)[0], status=word)
    line, _, counts = status()
    assert line.startswith(f"{word:9} tiny gdfq") and line.endswith(f": made {word} by a test")
    assert counts == f"2 cells: 1 {word}, 1 left"


def test_options_tell_variants_of_a_method_apart(place: Workplace, status: Status) -> None:
    place.suite.write_text(
        place.suite.read_text().replace('"gdfq"', '"gdfq", {name = "gdfq", options = {temperature = 10.0}}')
    )
    assert [" temperature=10.0 " in line for line in status("--bits", "4")] == [False, True, False]


def test_filters_choose_cells_as_for_run(place: Workplace, status: Status) -> None:
    assert status("--bits", "W*A4")[-1] == "1 cells: 1 left"
    assert status("--seeds", "4", "--seed", "[1-2],3")[-1] == "6 cells: 6 left"
    assert status("--method", "g*", "--dataset", "t*")[-1] == "2 cells: 2 left"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--bits", "W9A9"), "outside W2A2..W8A8"),
        (("--seed", "one"), "neither a whole number from 0 nor a pattern"),
        (("--seeds", "0"), "is no whole number from 1"),
    ],
)
def test_a_filter_that_is_none_is_refused(
    status: Status, capsys: pytest.CaptureFixture[str], arguments: tuple[str, str], told: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        status(*arguments)
    assert told in capsys.readouterr().err


def test_cells_that_wait_for_a_model_are_left_and_the_command_for_it_is_told(place: Workplace, status: Status) -> None:
    (place.results / "teachers" / "tiny-resnet20.json").unlink()
    assert status() == [
        "left      tiny gdfq-resnet20-w4a4-smoke-s0: waits for resnet20",
        "left      tiny gdfq-resnet20-w3a3-smoke-s0: waits for resnet20",
        "first: python -m bench pretrain --dataset tiny --model resnet20 (2 cells wait for it)",
        "2 cells: 2 left",
    ]


def test_an_unreadable_record_leaves_its_cell_and_says_which_file_and_why(place: Workplace, status: Status) -> None:
    path = leave(place, cells(place)[0])
    path.write_text(path.read_text()[:100])
    line, _, counts = status()
    assert line.startswith("left      tiny gdfq-resnet20-w4a4-smoke-s0 ")
    assert f": {path}: not readable as JSON" in line
    assert counts == "2 cells: 2 left"


def test_a_cell_that_a_live_process_holds_is_running(place: Workplace, status: Status) -> None:
    first, second = cells(place)
    leave(place, first, status="failed")
    with hold(lock_of(place.results, first.path)), hold(lock_of(place.results, second.path)):
        far = canonical_json(asdict(Far([second.id], "gdfq", total=3200, done=120))).encode()
        folder = place.results / ".work" / "running"
        folder.mkdir(parents=True)
        (folder / "0123.json").write_bytes(far)
        (folder / "torn.json").write_bytes(far[:10])
        assert status() == [
            f"running   tiny gdfq-resnet20-w4a4-smoke-s0 {first.id[:16]}",
            f"running   tiny gdfq-resnet20-w3a3-smoke-s0 {second.id[:16]}: step 120 of 3200",
            "2 cells: 2 running",
        ]
    assert status()[-1] == "2 cells: 1 failed, 1 left"


def test_a_lock_that_a_dead_process_left_is_no_running_cell(place: Workplace, status: Status) -> None:
    planned = cells(place)[0]
    lock = lock_of(place.results, planned.path)
    lock.parent.mkdir(parents=True)
    lock.write_text(canonical_json(asdict(replace(Owner.me(), started=-10.0))))
    assert status()[-1] == "2 cells: 2 left"


def test_a_cell_that_is_done_is_not_running(place: Workplace, status: Status) -> None:
    planned = cells(place)[0]
    leave(place, planned)
    with hold(lock_of(place.results, planned.path)):
        assert status()[-1] == "2 cells: 1 ok, 1 left"


def test_a_done_cell_whose_code_has_changed_is_stale_and_is_not_left(place: Workplace, status: Status) -> None:
    code = code_of("methods.gdfq")
    planned = cells(place)[0]
    method = {"version": planned.version, "code": code | {"bench.quant.grid": "0" * 16, "methods.gone": "1" * 16}}
    del method["code"]["methods.gdfq"]
    leave(place, planned, method=method)
    line, _, counts = status()
    told = "ok; code changed: bench.quant.grid, methods.gdfq (added), methods.gone (removed)"
    assert line == f"stale     tiny gdfq-resnet20-w4a4-smoke-s0 {planned.id[:16]}: {told}"
    assert counts == "2 cells: 1 stale, 1 left"
    assert [p.status for p in cells(place)] == ["ok", "left"]


def test_a_record_with_one_digest_of_all_code_is_not_called_stale(place: Workplace, status: Status) -> None:
    planned = cells(place)[0]
    leave(place, planned, method={"version": planned.version, "code": "c" * 64})
    assert status()[-1] == "2 cells: 1 ok, 1 left"


def former(place: Workplace, planned: Planned, *, rules: str = "", **inputs: Any) -> Record:
    """A record of the cell as it was with other inputs, under the id of its time.

    Args:
        inputs: fields of the cell, or `version`, `fingerprint`. rules: id of other rules.
    """
    version, fingerprint = inputs.pop("version", planned.version), inputs.pop("fingerprint", planned.fingerprint)
    cell = planned.cell.but(**inputs)
    record = record_of(place, planned, id=rules or identity(cell, version, fingerprint), spec=cell.plain())
    defaults = dict(cell.options)  # as nothing but defaults was asked for
    method = record.method | {"version": version, "defaults": defaults}
    return replace(record, spec=cell.plain(), method=method, data=record.data | {"fingerprint": fingerprint})


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"init": "e" * 64, "tutor": "e" * 64}, "full-precision model changed"),
        ({"tutor": "e" * 64}, "tutor changed"),
        ({"version": "gdfq-0"}, f"method gdfq-0 -> {GDFQ_NOW}"),
        ({"fingerprint": "e" * 64}, "data set changed"),
        ({"rules": "e" * 64}, "rules of the harness changed"),
        (
            {"version": "gdfq-0", "init": "e" * 64},
            f"full-precision model changed, method gdfq-0 -> {GDFQ_NOW}",
        ),
    ],
)
def test_a_left_cell_names_the_record_that_it_replaces_and_which_input_changed(
    place: Workplace, status: Status, inputs: dict[str, str], told: str
) -> None:
    planned = cells(place)[0]
    old = former(place, planned, **inputs)
    records.write(place.results, old)
    line, other, _ = status()
    assert line == f"left      tiny gdfq-resnet20-w4a4-smoke-s0 {planned.id[:16]}: replaces {old.id[:16]}: {told}"
    assert "replaces" not in other


def test_a_new_default_is_told_and_an_option_that_was_asked_for_is_another_cell(
    place: Workplace, status: Status
) -> None:
    planned = cells(place)[0]
    options = {**planned.cell.options, "temperature": 10.0}
    old = former(place, planned, options=options)
    records.write(place.results, old)
    assert status()[0].endswith(f": replaces {old.id[:16]}: default of temperature 10.0 -> 20.0")
    asked = replace(old, method=old.method | {"defaults": dict(planned.cell.options)})
    records.write(place.results, asked)
    assert "replaces" not in status()[0]


@pytest.mark.parametrize(
    "change",
    [{"platform": "cpu/torch-0.1.0/1-threads"}, {"status": "failed"}, {"provenance": "paper"}],
)
def test_what_is_no_finished_measurement_on_this_platform_is_not_replaced(
    place: Workplace, status: Status, change: dict[str, str]
) -> None:
    old = former(place, cells(place)[0], version="gdfq-0")
    path = records.write(place.results, old)
    assert "replaces" in status()[0]
    path.unlink()
    records.write(place.results, replace(old, **change))
    assert "replaces" not in status()[0]


def test_the_latest_of_several_is_replaced(place: Workplace, status: Status) -> None:
    planned = cells(place)[0]
    olds = [former(place, planned, version=f"gdfq-{version}") for version in ("x", "y", "z")]
    for old, ended in zip(olds, ("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"), strict=True):
        records.write(place.results, replace(old, run=old.run | {"ended": ended}))
    assert f"replaces {olds[1].id[:16]}: method gdfq-y -> {GDFQ_NOW}" in status()[0]

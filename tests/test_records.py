"""Records are read back only if intact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from recordfactory import make_record

from bench import records
from bench.errors import RecordInvalid


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    record = make_record()
    assert records.read(records.write(tmp_path, record)) == record
    assert records.load(tmp_path) == [record]


def test_writing_the_same_record_again_gives_the_same_bytes(tmp_path: Path) -> None:
    path = records.write(tmp_path, make_record())
    before = path.read_bytes()
    records.write(tmp_path, records.read(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda text: text[: len(text) // 2], "not readable as JSON"),
        (lambda text: "[]", "schema None"),
        (lambda text: text.replace('"schema": 1', '"schema": 0'), "schema 0"),
        (lambda text: text.replace('"status": "ok"', '"status": "fine"'), "unknown status"),
        (lambda text: text.replace('"platform"', '"plattform"'), "not a record"),
        (lambda text: text.replace('"steps":', '"steps": NaN, "x":'), "not readable as JSON"),
    ],
)
def test_what_is_not_intact_is_refused_with_path_and_reason(tmp_path: Path, break_it, reason: str) -> None:
    path = records.write(tmp_path, make_record(result={"steps": 40}))
    path.write_text(break_it(path.read_text()))
    with pytest.raises(RecordInvalid, match=reason) as caught:
        records.read(path)
    assert str(path) in str(caught.value)
    assert records.load(tmp_path) == []


def test_a_result_changed_by_hand_is_refused(tmp_path: Path) -> None:
    path = records.write(tmp_path, make_record())
    plain = json.loads(path.read_text())
    plain["result"]["top1"]["last"] = 0.999
    path.write_text(json.dumps(plain))
    with pytest.raises(RecordInvalid, match="does not match its digest"):
        records.read(path)

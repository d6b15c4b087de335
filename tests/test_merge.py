"""Merging: equal records once, finished ones over failed ones, contradictions refused whole, others side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from recordfactory import make_record

from bench.cli import main
from bench.errors import MergeRefused
from bench.records import load, write
from bench.sweep.merge import merge

CUDA = "cuda-h200/torch-2.15"


def leave(results: Path, last: float = 0.875, *, deterministic: bool = True, **changes: Any) -> Path:
    """Write a record whose accuracy after the last epoch is `last`."""
    record = make_record(result={"top1": {"last": last}}, run={"deterministic": deterministic}, **changes)
    return write(results, record)


def test_new_records_come_with_their_files_and_known_ones_stay(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    leave(here)
    leave(there)
    files = {"weights_file": "weights/cifar10/gdfq/some.safetensors", "images_file": "images/cifar10/gdfq/some.png"}
    for kind, file in files.items():
        (there / file).parent.mkdir(parents=True)
        (there / file).write_text(kind)
    write(there, make_record(spec={"seed": 1}, run=files))
    merged = merge(here, [there])
    assert (len(merged.taken), merged.present) == (1, 1)
    (taken,) = [record for record in load(here) if record.cell.seed == 1]
    assert all((here / taken.run[kind]).read_text() == kind for kind in files)
    assert merge(here, [there]).taken == []


def test_contradictions_on_a_deterministic_platform_are_refused_with_both_shown(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    own, other = leave(here, 0.8), leave(there, 0.7)
    leave(there, spec={"seed": 1})
    with pytest.raises(MergeRefused) as caught:
        merge(here, [there])
    for part in (f"80.00% (digest {load(here)[0].result['digest'][:8]}) in {own}", f"in {other}", "70.00%"):
        assert part in str(caught.value)
    assert len(load(here)) == 1


def test_contradictions_between_two_sources_are_found_too(tmp_path: Path) -> None:
    sources = [tmp_path / name for name in "ab"]
    for source, last in zip(sources, (0.8, 0.7), strict=True):
        leave(source, last)
    with pytest.raises(MergeRefused):
        merge(tmp_path / "here", sources)
    assert not (tmp_path / "here").exists()


def test_unequal_results_of_a_platform_that_does_not_repeat_are_both_kept_once(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for results, last in ((here, 0.8), (there, 0.7)):
        leave(results, last, deterministic=False, platform=CUDA)
    assert len(merge(here, [there]).taken) == 1
    assert sorted(record.result["top1"]["last"] for record in load(here)) == [0.7, 0.8]
    assert merge(here, [there]).taken == []


@pytest.mark.parametrize(("own", "other", "kept"), [("failed", "ok", "ok"), ("ok", "failed", "ok")])
def test_a_finished_record_stands_over_a_failed_one(tmp_path: Path, own: str, other: str, kept: str) -> None:
    for name, status in (("here", own), ("there", other)):
        reason = None if status == "ok" else "it broke"
        leave(tmp_path / name, 0.8 if status == "ok" else 0.1, status=status, reason=reason)
    merge(tmp_path / "here", [tmp_path / "there"])
    assert [record.status for record in load(tmp_path / "here")] == [kept]


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MergeRefused, match="holds no records; give a results folder"):
        merge(tmp_path / "here", [tmp_path])


def test_the_verb_says_what_it_did_and_writes_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leave(tmp_path / "there")
    assert main(["merge", str(tmp_path / "there"), "--results", str(tmp_path / "here")]) == 0
    assert capsys.readouterr().out == "1 records taken, 0 were there already\n"
    assert (tmp_path / "here" / "tables" / "cifar10.md").is_file()

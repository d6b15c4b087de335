"""Frozen references: what they hold, and that nobody changes one without a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reportrecords import CELL, CPU, seeds, store

from bench.cli import main
from bench.compare.errors import ReferenceInvalid
from bench.compare.reference import Reference, read, stored
from bench.spec import Bits

LASTS = [0.880, 0.881, 0.879, 0.882, 0.880]


def freeze(results: Path, *arguments: str, method: str = "gdfq") -> int:
    return main(["reference", "freeze", method, *arguments, "--results", str(results)])


def only(results: Path) -> tuple[Path, Reference]:
    ((path, reference),) = stored(results).items()
    return path, reference


def test_a_reference_holds_every_raw_run_and_its_settings(tmp_path: Path) -> None:
    made = seeds(*LASTS)
    store(tmp_path, made)
    assert freeze(tmp_path) == 0
    path, found = only(tmp_path)
    assert path.parent == tmp_path / "references" and path.name.startswith("gdfq-cifar10-resnet20-quick-bf16-1f1f1f1f-")
    assert (found.name, found.version, found.options) == ("gdfq", "gdfq-1", {"temperature": 20.0})
    assert (found.board.dataset, found.board.init, found.access) == ("cifar10", CELL.init, "none")
    runs = found.widths["W4A4"].runs
    assert [run.last for run in runs] == LASTS and [run.seed for run in runs] == [0, 1, 2, 3, 4]
    assert [run.record for run in runs] == [one.id for one in made]
    assert [run.digest for run in runs] == [one.result["digest"] for one in made]
    assert {run.platform for run in runs} == {CPU} and runs[0].seconds["learn"] == 500.0


def test_a_hostile_record_cannot_choose_where_a_reference_lies(tmp_path: Path) -> None:
    store(tmp_path / "results", seeds(*LASTS, cell=CELL.but(init="../../../x", options={"note": "../../../y"})))
    assert freeze(tmp_path / "results", method="gdfq *") == 0
    assert only(tmp_path / "results")[0].parent == tmp_path / "results/references"


def test_margins_are_half_a_point_and_one_at_three_bits_unless_given(tmp_path: Path) -> None:
    for bits in (Bits(4, 4), Bits(3, 4), Bits(8, 8)):
        store(tmp_path, seeds(*LASTS, cell=CELL.but(bits=bits)))
    freeze(tmp_path)
    assert {name: width.margin for name, width in only(tmp_path)[1].widths.items()} == {
        "W3A4": 0.01,
        "W4A4": 0.005,
        "W8A8": 0.005,
    }
    freeze(tmp_path, "--margin", "2,W8A8=0.25", "--because", "measured again")
    assert {name: width.margin for name, width in only(tmp_path)[1].widths.items()} == {
        "W3A4": 0.02,
        "W4A4": 0.02,
        "W8A8": 0.0025,
    }


def test_an_edit_by_hand_is_refused(tmp_path: Path) -> None:
    store(tmp_path, seeds(*LASTS))
    freeze(tmp_path)
    path, _ = only(tmp_path)
    path.write_text(path.read_text().replace('"margin": 0.005', '"margin": 0.05'))
    with pytest.raises(ReferenceInvalid, match="edited by hand"):
        read(path)


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 7}', '{"schema": 1}'])
def test_what_is_no_reference_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(text)
    with pytest.raises(ReferenceInvalid, match="wrong.json"):
        read(path)


def test_replacing_needs_a_reason_and_leaves_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(tmp_path, seeds(*LASTS))
    freeze(tmp_path)
    path, before = only(tmp_path)
    assert freeze(tmp_path) == 0 and "unchanged" in capsys.readouterr().out
    store(tmp_path, seeds(*LASTS, 0.9))
    assert freeze(tmp_path) == 2
    assert "to replace it, say why: --because REASON" in capsys.readouterr().err
    assert read(path) == before
    assert freeze(tmp_path, "--because", "a sixth seed") == 0
    (trace,) = only(tmp_path)[1].history
    assert (trace.digest, trace.because) == (before.digest, "a sixth seed")
    store(tmp_path, seeds(*LASTS, 0.9, 0.8))
    freeze(tmp_path, "--because", "a seventh")
    assert [old.because for old in only(tmp_path)[1].history] == ["a sixth seed", "a seventh"]


def test_a_trace_cannot_be_removed_by_hand(tmp_path: Path) -> None:
    store(tmp_path, seeds(*LASTS))
    freeze(tmp_path)
    freeze(tmp_path, "--margin", "1", "--because", "wider")
    path, _ = only(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"history": []}))
    with pytest.raises(ReferenceInvalid, match="edited by hand"):
        read(path)


def test_too_few_seeds_are_not_frozen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(tmp_path, seeds(*LASTS[:4]))
    assert freeze(tmp_path) == 2
    assert "gdfq W4A4 on cifar10 resnet20 quick bf16 has 4 of 5 seeds" in capsys.readouterr().err
    store(tmp_path, seeds(*LASTS, cell=CELL.but(bits=Bits(8, 8))))
    assert freeze(tmp_path) == 0
    assert "left out: gdfq W4A4" in capsys.readouterr().out
    assert list(only(tmp_path)[1].widths) == ["W8A8"]


def test_runs_of_two_versions_are_not_frozen_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(tmp_path, [*seeds(*LASTS), *seeds(*LASTS, method={"version": "gdfq-2"})])
    assert freeze(tmp_path) == 2
    assert "runs of gdfq-1 and gdfq-2" in capsys.readouterr().err
    assert freeze(tmp_path, method="gdfq version=gdfq-2") == 0
    assert only(tmp_path)[1].version == "gdfq-2"


def test_a_suite_and_filters_choose_what_is_frozen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for bits in (Bits(4, 4), Bits(8, 8)):
        store(tmp_path, seeds(*LASTS, cell=CELL.but(bits=bits)))
    suite = tmp_path / "one.toml"
    axes = 'dataset = ["cifar10"]\nmethod = ["gdfq"]\nbits = ["W8A8"]\nprecision = ["bf16"]\nseed = [0, 1, 2, 3, 4]\n'
    suite.write_text(f'name = "one"\n[axes]\n{axes}')
    freeze(tmp_path, "--suite", str(suite))
    assert list(only(tmp_path)[1].widths) == ["W8A8"]
    assert freeze(tmp_path, "--dataset", "svhn") == 2
    assert "none is left" in capsys.readouterr().err
    assert freeze(tmp_path, method="gfdq") == 2
    assert "did you mean gdfq" in capsys.readouterr().err


def test_references_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(tmp_path, seeds(*LASTS))
    freeze(tmp_path)
    capsys.readouterr()
    assert main(["reference", "ls", "--results", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "gdfq-1" in told and "W4A4 5 seeds, margin 0.5; replaced 0 times" in told.replace(", replaced", "; replaced")

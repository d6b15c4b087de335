"""`import-runs`: runs of the authors' own programs, all or none, once, and never ranked."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportrecords import CELL, record, store

from bench import records
from bench.author_code import bring as bringing
from bench.author_code.bring import bring
from bench.author_code.rows import RunsInvalid, read
from bench.cli import main
from bench.errors import ResultsUnwritable
from bench.records import Record
from bench.report import table
from bench.report.outcome import require_shape
from bench.spec import Bits

HEADER = "method,dataset,model,bits,schedule,seed,last,best,source,commit,init,top5,precision,options,note"
FIRST = "gdfq,cifar10,resnet20,W4A4,paper,1,90.11%,0.9025,https://github.com/xushoukai/GDFQ,0123abcdef,93.89%,,,,"
SECOND = 'adadfq,cifar10,resnet20,3,200-epochs,2,0.8489,84.95 %,here,0123abcdef,,0.99,bf16,batch=200; epochs=200,"a, b"'
DATASETS = ("cifar10", "cifar100")


def file_of(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "runs.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def complaints(path: Path) -> list[str]:
    with pytest.raises(RunsInvalid) as caught:
        read(path, DATASETS)
    first, *rest = str(caught.value).splitlines()
    assert first == f"{path} has {len(rest)} mistake(s):"
    return [line.strip() for line in rest]


def imported(folder: Path, *lines: str) -> list[Record]:
    path = file_of(folder, *lines)
    bring(folder / "results", path, read(path, DATASETS))
    return records.load(folder / "results")


def test_runs_become_intact_records_of_their_own_provenance(tmp_path: Path) -> None:
    adadfq, gdfq = imported(tmp_path, FIRST, SECOND)
    assert {gdfq.provenance, adadfq.provenance} == {"author-code"}
    assert (gdfq.cell.method, gdfq.cell.bits, gdfq.cell.seed, gdfq.cell.schedule) == ("gdfq", Bits(4, 4), 1, "paper")
    assert gdfq.result["top1"] == {"last": 0.9011, "best": 0.9025, "init": 0.9389}
    assert adadfq.result["top1"]["best"] == 0.8495 and adadfq.result["top5"]["last"] == 0.99
    assert adadfq.cell.options == {"batch": "200", "epochs": "200"} and adadfq.run["note"] == "a, b"
    for made in (adadfq, gdfq):
        require_shape(made)


def test_they_collide_with_no_measured_record_and_do_not_rank(tmp_path: Path) -> None:
    measured = record(CELL.but(schedule="paper", precision="fp32", seed=1))
    store(tmp_path / "results", [measured])
    found = imported(tmp_path, FIRST)
    assert len(found) == 2 and len({(one.id, one.platform) for one in found}) == 2
    report = table.build(tmp_path / "results")
    assert [row.n for sheet in report.sheets for row in sheet.rows] == [1]
    assert not report.unusable


def test_importing_again_changes_nothing_and_the_command_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["import-runs", str(file_of(tmp_path, FIRST, SECOND)), "--results", str(tmp_path / "results")]
    assert main(told) == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "results" / "records").rglob("*.json")}
    assert main(told) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert capsys.readouterr().out.splitlines() == [
        "2 runs brought in, 0 there already",
        "0 runs brought in, 2 there already",
    ]


def test_all_mistakes_are_reported_at_once_with_their_lines_and_nothing_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "GDFQ,cifar-10,resnet2,W9A9,papr,-1,63.12,x,,zz,,,fp8,batch,"
    below = FIRST.replace("0.9025", "0.90")
    path = file_of(tmp_path, FIRST, wrong, "", below, "gdfq,cifar10")
    found = complaints(path)
    for expected in (
        "line 3: method: 'GDFQ' is no name",
        "line 3: dataset: unknown data set 'cifar-10'; did you mean cifar10",
        "line 3: model: unknown model 'resnet2'; did you mean",
        "line 3: bits: bits 'W9A9' are outside",
        "line 3: schedule: unknown schedule 'papr'; did you mean paper?",
        "line 3: seed: '-1' is no seed",
        "line 3: last: '63.12' is neither a share in [0, 1] nor a percentage; write e.g. 0.6783 or 67.83%",
        "line 3: best: 'x' is neither",
        "line 3: source: must be given",
        "line 3: commit: 'zz' is no commit",
        "line 3: precision: unknown precision 'fp8'",
        "line 3: options: 'batch' is not of the form name=value",
        "line 5: best (0.9) is below last (0.9011)",
        "line 6: 2 values, but the header has 15 columns",
    ):
        assert any(line.startswith(expected) for line in found), expected
    assert len(found) == 14
    assert main(["import-runs", str(path), "--results", str(tmp_path / "results")]) == 2
    assert "has 14 mistake(s)" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("text", ["100.1%", "-1%", "nan", "inf%", "1.5", "%", "0,5"])
def test_what_is_no_share_is_refused(tmp_path: Path, text: str) -> None:
    (found,) = complaints(file_of(tmp_path, FIRST.replace("93.89%", f'"{text}"')))
    assert found.startswith(f"line 2: init: '{text}' is neither a share")


def test_a_wrong_header_is_told_before_any_row(tmp_path: Path) -> None:
    header = HEADER.replace("commit", "comit").replace("note", "last")
    assert complaints(file_of(tmp_path, FIRST, header=header)) == [
        "line 1: column last stands there 2 times",
        "line 1: unknown column 'comit'; did you mean commit?",
        "line 1: column(s) commit must be there",
    ]


@pytest.mark.parametrize(("content", "reason"), [(b"", "must be there"), (b"\xff\xfe", "UTF-8"), (b'a,"b', "CSV")])
def test_files_that_are_no_such_csv_get_a_clear_message(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(content)
    with pytest.raises(RunsInvalid, match=reason):
        read(path, DATASETS)
    with pytest.raises(RunsInvalid, match="there is no file"):
        read(tmp_path / "absent.csv", DATASETS)
    assert complaints(file_of(tmp_path)) == ["there is no run below the header"]


def test_a_run_given_twice_or_with_other_values_than_its_record_stops_everything(tmp_path: Path) -> None:
    imported(tmp_path, FIRST)
    other = FIRST.replace("90.11%", "90.12%")
    path = file_of(tmp_path, SECOND, other, SECOND)
    with pytest.raises(RunsInvalid) as caught:
        bring(tmp_path / "results", path, read(path, DATASETS))
    assert "line 3: " in str(caught.value) and "has other values for this run" in str(caught.value)
    assert "line 4: the run of line 2 again" in str(caught.value)
    assert len(records.load(tmp_path / "results")) == 1


def test_what_was_written_is_taken_back_where_the_disk_fills_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_of(tmp_path, FIRST, SECOND)
    written: list[Path] = []

    def write(results: Path, made: Record) -> Path:
        if written:
            raise ResultsUnwritable("no space left on device")
        written.append(records.write(results, made))
        return written[-1]

    monkeypatch.setattr(bringing, "write", write)
    with pytest.raises(ResultsUnwritable):
        bring(tmp_path / "results", path, read(path, DATASETS))
    assert written and not written[0].exists()

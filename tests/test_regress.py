"""Regression checks: verdicts and exit codes on records made beforehand, so that nothing has to be trained."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reportrecords import finished
from workplace import Workplace, give_teacher, make

from bench import records
from bench.cli import main
from bench.compare import reference
from bench.compare.fresh import suite_with
from bench.compare.judgement import judge
from bench.compare.looks import Looks
from bench.compare.subject import Subject
from bench.compare.trial import Evidence, Runs, Trial
from bench.data import describe
from bench.records import Record
from bench.registry import get
from bench.spec import Bits
from bench.suite import read
from bench.sweep import plan
from bench.sweep.wish import Wish

LASTS = [0.880, 0.881, 0.879, 0.882, 0.880]
SPREAD = [0.880, 0.900, 0.860, 0.890, 0.870]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    made = make(tmp_path_factory.mktemp("prepared"))
    give_teacher(made)
    return made


@pytest.fixture
def place(prepared: Workplace, tmp_path: Path) -> Workplace:
    shutil.copytree(prepared.data, tmp_path, dirs_exist_ok=True)
    return Workplace(tmp_path, tmp_path / "results", tmp_path / "tiny.toml")


def leave(place: Workplace, method: str, lasts: Sequence[float], status: str = "ok", **changes: Any) -> None:
    """Records of a method's seeds 0, 1, ... at these top-1 shares, as if today's code had run them."""
    from bench.method import defaults_of
    from bench.runner.code import code_of

    subject, facts = Subject.of(method), describe("tiny", place.data)
    where = plan.Place(place.results, place.data, "cpu", 1)
    cells = plan.make(suite_with(read(place.suite), subject), Wish(seeds=len(lasts)), where).cells
    about = {"version": subject.version, "defaults": defaults_of(subject.method.card)}
    about |= {"code": code_of(type(subject.method).__module__), "data": subject.method.card.data} | changes
    data = {"fingerprint": facts.fingerprint, "images": facts.sizes["test"], "stand_in": False}
    for planned, last in zip(cells, lasts, strict=True):
        result = records.seal(finished(last=last) | {"of": method}) if status == "ok" else {}
        reason = None if status == "ok" else "made so by a test"
        made = Record(
            planned.id, where.platform, "measured", status, reason, "tiny", planned.cell.plain(), about, data, result
        )
        records.write(place.results, made)


def regress(place: Workplace, method: str, *options: str) -> int:
    told = ["--suite", str(place.suite), "--results", str(place.results), "--data-root", str(place.data)]
    return main(["regress", method, *options, *told, "--threads", "1", "--device", "cpu"])


def freeze(place: Workplace, method: str, *options: str) -> None:
    assert main(["reference", "freeze", method, *options, "--results", str(place.results)]) == 0


def frozen_elsewhere(place: Workplace, lasts: Sequence[float]) -> None:
    """A reference of gdfq with these runs, of another version, so that today's runs are others."""
    leave(place, "gdfq", lasts)
    freeze(place, "gdfq")
    ((path, found),) = reference.stored(place.results).items()
    widths = {
        bits: replace(width, runs=tuple(replace(run, digest=f"{run.seed}" * 64) for run in width.runs))
        for bits, width in found.widths.items()
    }
    reference.write(place.results, replace(found, version="gdfq-0", widths=widths))
    assert path.is_file()


# verdicts


@pytest.mark.parametrize(
    ("lasts", "code", "verdict", "direction"),
    [
        (LASTS, 0, "pass", "neither shown"),
        ([last + 0.02 for last in LASTS], 0, "pass", "better"),
        ([last - 0.003 for last in LASTS], 0, "pass", "worse"),
        ([last - 0.05 for last in LASTS], 3, "fail", "worse"),
        (SPREAD, 4, "cannot tell", "neither shown"),
    ],
)
def test_verdict_and_exit_code_against_a_frozen_reference(
    place: Workplace, capsys: pytest.CaptureFixture[str], lasts: list[float], code: int, verdict: str, direction: str
) -> None:
    frozen_elsewhere(place, LASTS)
    leave(place, "gdfq", lasts)
    capsys.readouterr()
    report = place.data / "report.md"
    assert regress(place, "gdfq", "--report", str(report)) == code
    told = capsys.readouterr().out
    assert f"gdfq gdfq-{get('gdfq').card.version} (new) against frozen references of gdfq: {verdict}" in told
    (row,) = [line for line in report.read_text().splitlines() if line.startswith("| W4A4")]
    assert [cell.strip() for cell in row.strip("|").split("|")][-2:] == [direction, verdict]


def test_how_many_more_seeds_would_tell_is_said(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    frozen_elsewhere(place, LASTS)
    leave(place, "gdfq", [0.882, 0.892, 0.872, 0.887, 0.877])
    assert regress(place, "gdfq") == 4
    told = " ".join(capsys.readouterr().out.split())
    assert "more seeds would, as it looks now: --seeds" in told


def test_a_method_without_reference_is_checked_against_its_base(
    place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(place, "akt", [last - 0.05 for last in LASTS])
    leave(place, "adadfq", LASTS)
    assert regress(place, "akt") == 3
    assert "against adadfq, which akt builds on: fail" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("method", "base"), [("akt base=gdfq", "gdfq"), ("akt", "adadfq"), ("bag", "adadfq"), ("gdfq", None)]
)
def test_the_base_of_a_method_is_read_from_its_version(method: str, base: str | None) -> None:
    assert Subject.of(method).base == base


def test_any_method_can_be_the_baseline(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    leave(place, "akt", LASTS)
    leave(place, "akt form=0", [last - 0.03 for last in LASTS])
    assert regress(place, "akt", "--baseline", "akt form=0") == 0
    assert "better" in capsys.readouterr().out


def test_the_very_same_results_pass_without_statistics(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    leave(place, "gdfq", SPREAD)
    freeze(place, "gdfq")
    assert regress(place, "gdfq") == 0
    assert "the same results, bit for bit" in " ".join(capsys.readouterr().out.split())
    assert not (place.results / "regressions").exists()


def test_a_seed_that_diverges_where_the_baseline_does_not_fails(
    place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    frozen_elsewhere(place, LASTS)
    leave(place, "gdfq", [0.95] * 5)
    leave(place, "gdfq", [0.95] * 2, status="diverged")
    assert regress(place, "gdfq") == 3
    assert "diverged at seed 0, 1, where the baseline does not" in " ".join(capsys.readouterr().out.split())


def test_four_seeds_are_never_judged(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    frozen_elsewhere(place, LASTS)
    leave(place, "gdfq", [last - 0.2 for last in LASTS])
    assert regress(place, "gdfq", "--seeds", "4") == 4
    assert "4 seeds; 5 a side are needed" in " ".join(capsys.readouterr().out.split())


def test_a_slight_alarm_among_many_trials_is_none(tmp_path: Path) -> None:
    old = Runs(tuple(Evidence(seed, "cpu", last, f"a{seed}") for seed, last in enumerate(LASTS)))
    new = Runs(tuple(Evidence(seed, "cpu", last - 0.0026, f"b{seed}") for seed, last in enumerate(LASTS)))
    trials = [Trial("here", Bits(w, 8), 0.0001, "base", old, new) for w in range(2, 9)]

    def looks(trial: Trial) -> Looks:
        return Looks(tmp_path / f"{trial.bits}.json", {})

    assert [one.verdict for one in judge(trials[:1], looks)] == ["fail"]
    assert {one.verdict for one in judge(trials, looks)} == {"cannot tell"}


# looks


def test_two_looks_are_granted_and_a_third_is_refused(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    frozen_elsewhere(place, LASTS)
    leave(place, "gdfq", [*SPREAD, *SPREAD[:2]])
    for seeds, told in (("5", "1  neither"), ("5", "1  neither"), ("6", "2  neither"), ("6", "2  neither")):
        assert regress(place, "gdfq", "--seeds", seeds) == 4
        assert told in capsys.readouterr().out
    assert regress(place, "gdfq", "--seeds", "7") == 4
    assert "all 2 looks are taken" in " ".join(capsys.readouterr().out.split())


def test_a_verdict_stands_when_seeds_are_added(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    frozen_elsewhere(place, LASTS)
    leave(place, "gdfq", [*(last - 0.05 for last in LASTS), 1.0, 1.0])
    assert regress(place, "gdfq") == 3
    assert regress(place, "gdfq", "--seeds", "7") == 3
    assert "at 5 seeds stands" in " ".join(capsys.readouterr().out.split())


def test_the_trace_of_looks_cannot_be_edited_by_hand(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    frozen_elsewhere(place, LASTS)
    leave(place, "gdfq", SPREAD)
    regress(place, "gdfq")
    (path,) = (place.results / "regressions").iterdir()
    path.write_text(path.read_text().replace('"cannot tell"', '"pass"'))
    assert regress(place, "gdfq") == 2
    assert "edited by hand" in capsys.readouterr().err


# what does not fit


@pytest.mark.parametrize(
    ("changes", "board", "told"),
    [
        ({}, {"init": "0" * 64}, "full-precision model 00000000 there,"),
        ({}, {"fingerprint": "1" * 64}, "test data 11111111 there,"),
        ({"access": "train"}, {}, "data access train there, none here"),
        ({"rules": "0"}, {}, "rules 0 there, 1 here"),
        ({}, {"schedule": "paper"}, "no reference of the league and bits"),
        ({}, {"precision": "bf16"}, "no reference of the league and bits"),
    ],
)
def test_a_reference_of_another_league_is_refused_in_one_line(
    place: Workplace, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], board: dict[str, Any], told: str
) -> None:
    frozen_elsewhere(place, LASTS)
    ((path, found),) = reference.stored(place.results).items()
    path.unlink()
    reference.write(place.results, replace(found, board=replace(found.board, **board), **changes))
    capsys.readouterr()
    assert regress(place, "gdfq", "--schedule", "smoke", "--precision", "fp32") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


@pytest.mark.parametrize(
    ("method", "options", "told"),
    [
        ("gdqf", [], "did you mean gdfq"),
        ("gdfq", [], "has no frozen reference and builds on no other method"),
        ("gdfq", ["--baseline", "nothing.json"], "no reference nothing.json"),
        ("gdfq", ["--baseline", "nothing"], "unknown method 'nothing'"),
        ("akt form=7", [], "option form of akt must be one of 0, 1, 2"),
        ("akt", ["--bits", "W8A8"], "no cell of suite 'regress-adadfq' matches"),
        ("akt perturbed=true", ["--baseline", "gdfq"], "option perturbed is of base 'hast' alone"),
        ("gdfq", ["--aa"], "no finished runs of 'gdfq'"),
    ],
)
def test_each_mistake_gets_one_line(
    place: Workplace, capsys: pytest.CaptureFixture[str], method: str, options: list[str], told: str
) -> None:
    assert regress(place, method, *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_runs_of_older_code_do_not_count_unless_asked_for(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    frozen_elsewhere(place, LASTS)
    leave(place, "gdfq", LASTS, code={"methods.gdfq": "0" * 16})
    assert regress(place, "gdfq", "--dry-run") == 0
    told = capsys.readouterr().out
    assert "5 cells, 0 done, 5 left" in told and "all are run anew, in" in told
    assert regress(place, "gdfq", "--stored") == 0
    assert "--stored was given" in " ".join(capsys.readouterr().out.split())


# A/A


def test_false_alarms_of_stored_seeds_are_few_and_are_counted(
    place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(place, "gdfq", [*LASTS, *(last + 0.0005 for last in LASTS)])
    assert regress(place, "gdfq", "--aa") == 0
    told = capsys.readouterr().out
    assert "gdfq, 10 seeds, margin 0.5: all 252 splits: 0.0% fail, each a false alarm, 100.0% pass" in told


def test_too_few_seeds_for_a_split_are_said(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    leave(place, "gdfq", LASTS)
    assert regress(place, "gdfq", "--aa") == 2
    captured = capsys.readouterr()
    assert "5 seeds, and a split needs 10" in captured.out
    assert "no runs of 'gdfq' with 10 seeds" in captured.err

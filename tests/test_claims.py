"""Claims: what a verdict is, which records it is about, and what is printed of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from reportrecords import CELL, INIT, METHOD, failed, finished, record, seeds, store
from workplace import ROOT

from bench.claims.evidence import Evidence
from bench.claims.file import Claims, Comparison, read
from bench.claims.render import markdown, terminal
from bench.claims.verdict import Finding, findings, judge
from bench.cli import main
from bench.records import Record
from bench.spec import Bits
from bench.stats.difference import Difference

CLAIMS = """
name = "demo"
[[claim]]
name = "warm"
paper = "P|1"
says = "A higher temperature helps."
full = { cifar10 = 93.0 }
arms.cold = { method = "gdfq" }
arms.warm = { method = "gdfq", options = { temperature = 40.0 } }
compare = [{ of = "warm", over = "cold", expect = "gain" }]
at = [{ dataset = "cifar10", bits = "W4A4", published = [88.0, 89.0] }]
[[out_of_scope]]
paper = "P2"
says = "The same on ImageNet."
why = "ImageNet"
"""
COLD = CELL.but(schedule="paper", precision="fp32")
WARM = COLD.but(options={"temperature": 40.0})
GRADIENT = ('expect = "gain" }', 'expect = "less", measure = "gradient" }')


def claims_of(folder: Path, text: str = CLAIMS) -> Claims:
    path = folder / "claims.toml"
    path.write_text(text)
    return read(path)


def found(folder: Path, *made: Record, text: str = CLAIMS) -> list[Finding]:
    """What the records say of the claims."""
    store(folder / "results", list(made))
    return list(findings(claims_of(folder, text), Evidence(folder / "results")))


def five(center: float, **changes: object) -> list[Record]:
    """Five seeds around a share, with a spread of a tenth of a point."""
    return seeds(*(center + offset / 1000 for offset in (-1, -0.5, 0, 0.5, 1)), **changes)  # type: ignore[arg-type]


# verdicts


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.2, 1.2, "reproduced"),
        (0.2, 0.9, "weaker"),
        (-0.1, 0.9, "weaker"),
        (0.6, 0.9, "weaker"),
        (-0.5, 0.4, "contradicted"),
        (-2.0, -1.0, "contradicted"),
        (-0.1, 1.5, "cannot tell"),
        (1.1, 1.9, "stronger"),
    ],
)
def test_the_interval_decides_about_a_published_gain_of_one_point(low: float, high: float, verdict: str) -> None:
    gain = Comparison("a", "b", "gain")
    assert judge(gain, 1.0, _interval(low, high)) == verdict
    assert judge(gain, -1.0, _interval(-high, -low)) == verdict


@pytest.mark.parametrize(
    ("comparison", "low", "high", "verdict"),
    [
        (Comparison("a", "b", "more"), 0.1, 0.4, "reproduced"),
        (Comparison("a", "b", "more"), -0.4, -0.1, "contradicted"),
        (Comparison("a", "b", "less"), -0.4, -0.1, "reproduced"),
        (Comparison("a", "b", "less"), 0.1, 0.4, "contradicted"),
        (Comparison("a", "b", "less"), -0.1, 0.4, "cannot tell"),
        (Comparison("a", "b", "within", 0.3), -0.2, 0.4, "reproduced"),
        (Comparison("a", "b", "within", 0.3), -0.4, 0.4, "cannot tell"),
        (Comparison("a", "b", "within", 0.3), -0.9, -0.4, "contradicted"),
    ],
)
def test_the_interval_decides_about_directions_and_margins(
    comparison: Comparison, low: float, high: float, verdict: str
) -> None:
    assert judge(comparison, None, _interval(low, high)) == verdict


def test_under_five_seeds_a_side_nothing_is_told() -> None:
    assert judge(Comparison("a", "b", "gain"), 1.0, _interval(0.9, 1.1, n_a=4)) == "cannot tell"
    assert judge(Comparison("a", "b", "gain"), 1.0, None) == "cannot tell"


def _interval(low: float, high: float, n_a: int = 5) -> Difference:
    return Difference((low + high) / 2, low, high, 0.01, n_a, 5, "welch", 0.95)


# which records


def test_five_seeds_at_the_published_schedule_give_a_final_verdict(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, *five(0.88, cell=COLD), *five(0.89, cell=WARM))
    assert (finding.verdict, finding.final) == ("reproduced", True)
    assert finding.difference is not None and finding.difference.low < 1.0 < finding.difference.high
    assert finding.estimate == pytest.approx(1.0)


def test_a_shortened_schedule_never_gives_a_final_verdict(tmp_path: Path) -> None:
    quick = [*five(0.88, cell=COLD.but(schedule="quick")), *five(0.88, cell=WARM.but(schedule="quick"))]
    (finding,) = found(tmp_path, *quick)
    assert (finding.verdict, finding.final) == ("contradicted", False)
    assert "contradicted (not final)" in terminal(claims_of(tmp_path), [finding], [])


def test_one_seed_cannot_tell_and_its_figures_are_shown(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, *seeds(0.88, cell=COLD), *seeds(0.9, cell=WARM))
    text = terminal(claims_of(tmp_path), [finding], [])
    (line,) = [line for line in text.splitlines() if line.startswith("cifar10 W4A4")]
    shown = " ".join(line.split())
    assert shown == "cifar10 W4A4 warm - cold paper 1 90.00 88.00 +2.00 - +2.00 +1.00 cannot tell (1 of 5 seeds)"


def test_an_arm_without_runs_is_named(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, *seeds(0.88, cell=COLD), failed(WARM))
    assert finding.verdict == "not run"
    assert "not run (no run of warm)" in terminal(claims_of(tmp_path), [finding], [])


@pytest.mark.parametrize("changes", [{"precision": "bf16"}, {"schedule": "quick"}, {"init": "ab" * 32}])
def test_runs_of_different_settings_are_never_compared(tmp_path: Path, changes: dict[str, str]) -> None:
    (finding,) = found(tmp_path, *five(0.88, cell=COLD), *five(0.89, cell=WARM.but(**changes)))
    assert finding.verdict == "not run"
    assert "never both in one setting" in terminal(claims_of(tmp_path), [finding], [])


def test_every_setting_has_a_line_of_its_own_the_published_schedule_first(tmp_path: Path) -> None:
    names = ("smoke", "quick", "40-epochs", "80-epochs", "paper")
    made = [one for name in names for one in (record(COLD.but(schedule=name)), record(WARM.but(schedule=name)))]
    schedules = [finding.setting.schedule for finding in found(tmp_path, *made) if finding.setting]
    assert schedules == ["paper", "80-epochs", "40-epochs", "quick", "smoke"]


def test_other_options_provenances_and_bits_are_no_evidence(tmp_path: Path) -> None:
    others = [
        *five(0.5, cell=COLD.but(options={"temperature": 5.0})),
        *five(0.5, cell=COLD.but(bits=Bits(3, 3))),
        *five(0.5, cell=COLD.but(dataset="cifar100")),
        *five(0.5, cell=COLD.but(tutor=""), provenance="author-code", platform="author-code/1"),
    ]
    (finding,) = found(tmp_path, *others, *five(0.88, cell=COLD), *five(0.89, cell=WARM))
    assert finding.verdict == "reproduced"


def test_only_the_version_that_ran_last_counts(tmp_path: Path) -> None:
    old = five(0.5, cell=COLD, method={"version": "gdfq-0"}, run={"ended": "2026-01-01T00:00:00Z"})
    new = five(0.88, cell=COLD, run={"ended": "2026-02-01T00:00:00Z"})
    (finding,) = found(tmp_path, *old, *new, *five(0.89, cell=WARM))
    assert [run.last for run in finding.over] == pytest.approx([0.879, 0.8795, 0.88, 0.8805, 0.881])


def test_records_that_were_changed_are_left_out_and_named(tmp_path: Path) -> None:
    made = record(COLD)
    (path,) = store(tmp_path / "results", [made])
    path.write_text(path.read_text().replace("0.885", "0.985"))
    evidence = Evidence(tmp_path / "results")
    assert len(evidence.unusable) == 1 and evidence.unusable[0].startswith("records/cifar10/gdfq/")
    assert "does not match its digest" in evidence.unusable[0]


def test_gradients_are_compared_by_their_largest_norm_over_all_layers(tmp_path: Path) -> None:
    curves = (COLD, [(3.0, 4.0), (6.0, 8.0)]), (WARM, [(6.0, 8.0), (12.0, 16.0)])
    made = [
        record(cell.but(seed=seed), {**finished(), "epochs": [_epoch(*norms) for norms in curve]})
        for cell, curve in curves
        for seed in range(5)
    ]
    (finding,) = found(tmp_path, *made, text=CLAIMS.replace(*GRADIENT))
    assert finding.estimate == pytest.approx(1.0)  # doubled: 20 against 10
    assert finding.verdict == "contradicted"
    line = next(line for line in terminal(claims_of(tmp_path), [finding], []).splitlines() if "2.00x" in line)
    assert line.split()[7:10] == ["20", "10", "2.00x"]


def _epoch(first: float, second: float) -> dict[str, object]:
    watched = {"gradient/first": first, "gradient/second": second, "other": 1e6}
    return {"epoch": 0, "top1": 0.5, "top5": 0.9, "losses": {}, "watched": watched}


# what is shown


def test_the_pages_are_the_same_bytes_whatever_the_order_of_the_records(tmp_path: Path) -> None:
    made = [*five(0.88, cell=COLD), *five(0.89, cell=WARM), *five(0.7, cell=COLD.but(schedule="quick"))]
    pages = []
    for name, order in (("one", made), ("two", made[::-1])):
        (tmp_path / name).mkdir()
        shown = found(tmp_path / name, *order)
        pages.append(markdown(claims_of(tmp_path / name), shown, []) + terminal(claims_of(tmp_path / name), shown, []))
    assert pages[0] == pages[1]


def test_what_differs_from_the_paper_is_said(tmp_path: Path) -> None:
    shown = found(tmp_path, record(COLD.but(schedule="quick", precision="bf16")), record(WARM.but(schedule="quick")))
    assert shown[0].verdict == "not run"
    shown = found(tmp_path, record(WARM.but(schedule="quick", precision="bf16")))
    text = terminal(claims_of(tmp_path), shown, [])
    for expected in ("schedule quick, not the published one", "trained in bf16", "91.60, the paper's 93.00"):
        assert expected in " ".join(text.split())
    assert "Out of scope" in text and "Not tested: ImageNet" in text


def test_text_of_claims_and_records_is_escaped_in_markdown(tmp_path: Path) -> None:
    page = markdown(claims_of(tmp_path), found(tmp_path), ["records/<b>.json: broken|"])
    assert "P\\|1" in page and "\\<b>.json: broken\\|" in page


def test_the_command_prints_and_writes_the_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(tmp_path / "results", [*five(0.88, cell=COLD), *five(0.89, cell=WARM)])
    (tmp_path / "claims.toml").write_text(CLAIMS)
    places = ["--file", str(tmp_path / "claims.toml"), "--results", str(tmp_path / "results")]
    assert main(["claims", *places, "--markdown", str(tmp_path / "claims.md")]) == 0
    assert "1 comparisons: 1 reproduced; 1 of these verdicts final" in capsys.readouterr().out
    assert "| reproduced |" in (tmp_path / "claims.md").read_text()


def test_reading_and_judging_claims_loads_nothing_heavy() -> None:
    code = "import sys; from pathlib import Path; import bench.claims.render\n"
    code += "from bench.claims.file import read; read(Path('suites/claims.toml'))\n"
    code += "print({'torch', 'mlflow', 'pandas', 'scipy', 'tabulate'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_an_unknown_claim_gets_a_suggestion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "claims.toml").write_text(CLAIMS)
    told = ["claims", "worm", "--file", str(tmp_path / "claims.toml"), "--results", str(tmp_path)]
    assert main(told) == 2
    assert "unknown claim 'worm'; did you mean warm?" in capsys.readouterr().err


def test_records_need_the_defaults_of_their_method_to_be_told_apart(tmp_path: Path) -> None:
    bare = {key: value for key, value in METHOD.items() if key != "defaults"}
    made = record(COLD)
    silent = Record(**{**vars(made), "method": {**bare, "version": "gdfq-1"}})
    assert silent.cell.init == INIT
    (finding,) = found(tmp_path, silent, record(WARM))
    assert finding.lacking == ("cold",)

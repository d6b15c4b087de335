"""Comparisons of stored runs: what is paired, what is called better or worse, and what is not."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from reportrecords import CELL, finished, record, seeds, store
from scipy.stats import binomtest, ttest_ind

from bench.cli import main
from bench.compare import table
from bench.compare.contrast import Contrast
from bench.compare.side import sides
from bench.spec import Bits

BAG, SINGLE = CELL.but(method="bag"), CELL.but(precision="fp32")
LOW = [0.880, 0.881, 0.879, 0.882, 0.880]
HIGH = [0.890, 0.891, 0.889, 0.892, 0.890]
ROOT = Path(__file__).resolve().parents[1]


def compared(results: Path, a: str = "gdfq", b: str = "bag") -> tuple[Contrast, ...]:
    return table.Comparison.of(*sides(a, b, results)).contrasts


def calls(results: Path, a: str = "gdfq", b: str = "bag") -> list[str]:
    return [contrast.call for contrast in compared(results, a, b)]


def complaint(results: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command with these arguments ends with."""
    assert main([*arguments, "--results", str(results)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def git(folder: Path, *arguments: str) -> None:
    named = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *named, *arguments], cwd=folder, check=True, capture_output=True)


# what is called


def test_five_clear_seeds_are_called_better_and_the_other_way_round_worse(tmp_path: Path) -> None:
    store(tmp_path, [*seeds(*LOW), *seeds(*HIGH, cell=BAG)])
    assert calls(tmp_path) == ["better"]
    assert calls(tmp_path, "bag", "gdfq") == ["worse"]


def test_four_seeds_are_called_nothing_however_clear(tmp_path: Path) -> None:
    store(tmp_path, [*seeds(*LOW), *seeds(*HIGH[:4], cell=BAG)])
    assert calls(tmp_path) == calls(tmp_path, "bag", "gdfq") == ["too few seeds"]


def test_difference_and_interval_are_those_of_scipy(tmp_path: Path) -> None:
    store(tmp_path, [*seeds(*LOW), *seeds(0.88, 0.885, 0.879, 0.9, 0.881, 0.87, cell=BAG)])
    (contrast,) = compared(tmp_path)
    wanted = ttest_ind([0.88, 0.885, 0.879, 0.9, 0.881, 0.87], LOW, equal_var=False)
    found, interval = contrast.difference, wanted.confidence_interval()
    assert found is not None
    assert (found.p, found.low, found.high) == pytest.approx((wanted.pvalue, interval.low, interval.high))


def test_one_slight_difference_among_many_lines_is_not_called(tmp_path: Path) -> None:
    slight = [last + 0.0018 for last in LOW]
    store(tmp_path, [*seeds(*LOW), *seeds(*slight, cell=BAG)])
    assert calls(tmp_path) == ["better"]
    for bits in (Bits(w, 8) for w in range(2, 8)):
        store(tmp_path, [*seeds(*LOW, cell=CELL.but(bits=bits)), *seeds(*LOW[::-1], cell=BAG.but(bits=bits))])
    assert set(calls(tmp_path)) == {"cannot tell"}


def test_one_seed_a_side_compares_two_models_by_exact_mcnemar(tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    a, b = (random.rand(10_000) < share for share in (0.5, 0.52))
    packed = [base64.b64encode(np.packbits(bits).tobytes()).decode() for bits in (a, b)]
    for cell, bits in zip((CELL, BAG), packed, strict=True):
        store(tmp_path, [record(cell, {**finished(), "correct": bits})])
    (contrast,) = compared(tmp_path)
    assert contrast.models is not None and contrast.call == "too few seeds"
    gained, lost = int((b & ~a).sum()), int((a & ~b).sum())
    assert (contrast.models.gained, contrast.models.lost) == (gained, lost)
    assert contrast.models.p == pytest.approx(binomtest(gained, gained + lost).pvalue)


def test_where_images_suit_one_method_better_the_interval_about_further_images_is_wider(tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    easy = random.rand(2, 10_000) < 0.5  # for each method other images
    for cell, suited in zip((CELL, BAG), easy, strict=True):
        for seed in range(5):
            right = random.rand(10_000) < np.where(suited, 0.95, 0.65)
            bits = base64.b64encode(np.packbits(right).tobytes()).decode()
            store(tmp_path, [record(cell.but(seed=seed), {**finished(last=right.mean()), "correct": bits})])
    (contrast,) = compared(tmp_path)
    seeds_alone, both = contrast.difference, contrast.crossed
    assert seeds_alone is not None and both is not None
    assert both.estimate == pytest.approx(seeds_alone.estimate)
    assert both.high - both.low > 1.1 * (seeds_alone.high - seeds_alone.low)
    told = " ".join(table.terminal(table.Comparison.of(*sides("gdfq", "bag", tmp_path))).split())
    assert contrast.noise_a is not None and contrast.noise_a.image_sd == pytest.approx(0.0015, rel=0.05)
    assert "further images" in told and "| 0.15" in told


def test_a_method_that_sees_training_images_is_called_nothing(tmp_path: Path) -> None:
    store(tmp_path, [*seeds(*LOW), *seeds(*HIGH, cell=BAG, method={"data": "train"})])
    assert calls(tmp_path) == ["another league"]
    told = table.terminal(table.Comparison.of(*sides("gdfq", "bag", tmp_path)))
    assert "another league: data access train against none" in told


def test_other_initial_models_data_or_schedules_are_never_set_against_each_other(tmp_path: Path) -> None:
    store(tmp_path, seeds(*LOW))
    store(tmp_path, seeds(*HIGH, cell=BAG.but(init="2e" * 32)))
    store(tmp_path, seeds(*HIGH, cell=BAG.but(schedule="paper")))
    store(tmp_path, seeds(*HIGH, cell=BAG, data={"fingerprint": "d1" * 32}))
    assert calls(tmp_path) == []


def test_a_seed_that_ran_on_two_platforms_counts_once(tmp_path: Path) -> None:
    store(tmp_path, [*seeds(*LOW[:3]), *seeds(*LOW[:3], platform="gpu/torch-2.15.0"), *seeds(*HIGH, cell=BAG)])
    (contrast,) = compared(tmp_path)
    assert contrast.pair.a.n == 3 and contrast.call == "too few seeds"


def test_both_directions_are_counted(tmp_path: Path) -> None:
    low = Bits(3, 3)
    store(tmp_path, [*seeds(*LOW), *seeds(*HIGH, cell=BAG)])
    store(tmp_path, [*seeds(*HIGH, cell=CELL.but(bits=low)), *seeds(*LOW, cell=BAG.but(bits=low))])
    comparison = table.Comparison.of(*sides("gdfq", "bag", tmp_path))
    assert comparison.summary == "b is better in 1, worse in 1, and 0 cannot be called."


# what is chosen


@pytest.mark.parametrize(
    ("told", "lasts"),
    [
        ("gdfq", [0.88]),
        ("gdfq temperature=20", [0.88]),
        ("gdfq temperature=10", [0.7]),
        ("gd*", [0.88]),
        ("gdfq *", [0.88, 0.7]),
        ("gdfq * version=gdfq-1", [0.88, 0.7]),
    ],
)
def test_a_name_with_options_chooses_runs(tmp_path: Path, told: str, lasts: Sequence[float]) -> None:
    store(tmp_path, [*seeds(0.88), *seeds(0.7, cell=CELL.but(options={"temperature": 10.0})), *seeds(0.9, cell=BAG)])
    assert sorted((c.pair.b.mean for c in compared(tmp_path, "bag", told)), reverse=True) == lasts


def test_two_suites_are_compared_by_their_cells(tmp_path: Path) -> None:
    store(tmp_path, [*seeds(*LOW), *seeds(*HIGH, cell=BAG)])
    text = 'name = "{0}"\n[axes]\ndataset = ["cifar10"]\nmethod = ["{0}"]\nbits = ["W4A4"]\nprecision = ["bf16"]\n'
    for name in ("gdfq", "bag"):
        (tmp_path / f"{name}.toml").write_text(text.format(name) + "seed = [0, 1]\n")
    (contrast,) = compared(tmp_path, str(tmp_path / "gdfq.toml"), str(tmp_path / "bag.toml"))
    assert (contrast.pair.a.lasts, contrast.pair.b.lasts) == (LOW[:2], HIGH[:2])


def test_two_commits_are_compared_by_their_records(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    results = tmp_path / "results"
    store(results, [*seeds(*LOW), *seeds(0.5, cell=BAG)])
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=one")
    store(results, seeds(*HIGH, method={"version": "gdfq-2"}))
    for path in (results / "records/cifar10/gdfq").iterdir():
        if "gdfq-1" in path.read_text():
            path.unlink()
    git(tmp_path, "add", "--all", ".")
    git(tmp_path, "commit", "--quiet", "--message=two")
    comparison = table.Comparison.of(*sides("HEAD~1", "HEAD", results))
    (contrast,) = comparison.contrasts
    assert contrast.call == "better" and comparison.pairs.same == 1
    versions = contrast.pair.a.entry.version, contrast.pair.b.entry.version
    assert versions == ("gdfq-1", "gdfq-2")


def test_runs_on_both_sides_keep_a_line_from_being_called(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    store(old, seeds(*LOW))
    store(new, [*seeds(*LOW[:1]), *(one for one in seeds(0.1, *HIGH) if one.cell.seed)])
    assert calls(old, str(old), str(new)) == ["1 runs in both"]


# equality


@pytest.mark.parametrize(
    ("others", "verdict"),
    [
        ([last + 0.001 for last in LOW], "yes"),
        (HIGH, "no"),
        ([0.870, 0.875, 0.880, 0.885, 0.890], "cannot tell"),
        (LOW[:4], "cannot tell"),
    ],
)
def test_precisions_of_a_method_are_equal_within_a_margin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], others: list[float], verdict: str
) -> None:
    store(tmp_path, [*seeds(*LOW, cell=SINGLE), *seeds(*others, cell=SINGLE.but(precision="bf16"))])
    comparison = table.Comparison.of(*sides("gdfq precision=fp32", "gdfq precision=bf16", tmp_path), 0.005)
    (contrast,) = comparison.contrasts
    assert contrast.equal is not None
    assert contrast.equal.verdict == {"yes": "pass", "no": "fail"}.get(verdict, verdict)
    assert contrast.call == "another league"
    told = ["gdfq precision=fp32", "gdfq precision=bf16", "--within", "0.5", "--results", str(tmp_path)]
    assert main(["compare", *told]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "within 0.50 points" in said and "precision bf16 against fp32" in said
    line = next(line for line in said.split("----")[-1].split("  ") if line)
    assert verdict in line


def test_precisions_are_set_against_each_other_only_where_both_are_named(tmp_path: Path) -> None:
    store(tmp_path, [*seeds(*LOW, cell=SINGLE), *seeds(*HIGH, cell=SINGLE.but(precision="bf16"))])
    assert calls(tmp_path, "gdfq", "gdfq precision=bf16") == []
    assert len(calls(tmp_path, "gdfq precision=fp32", "gdfq precision=b*")) == 1
    assert all(contrast.equal is None for contrast in compared(tmp_path, "gdfq precision=fp32", "gdfq precision=bf16"))


@pytest.mark.parametrize("margin", ["0", "-1", "100", "half", "nan"])
def test_a_margin_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], margin: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "gdfq", "bag", "--within", margin, "--results", str(tmp_path)])
    assert stopped.value.code == 2
    assert f"{margin} points; give a number above 0" in capsys.readouterr().err


# what is told


def test_markdown_is_written_and_foreign_text_cannot_break_it(tmp_path: Path) -> None:
    odd = CELL.but(options={"note": "a|b\n<script>"})
    store(tmp_path, [*seeds(*LOW), *seeds(*HIGH, cell=odd)])
    file = tmp_path / "out.md"
    assert main(["compare", "gdfq", "gdfq *", "--markdown", str(file), "--results", str(tmp_path)]) == 0
    lines = [line for line in file.read_text().splitlines() if line.startswith("|")]
    assert len(lines) == 3 and "<script" not in file.read_text().replace(r"\<", "")
    assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1


def test_records_that_cannot_be_used_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = store(tmp_path, [*seeds(*LOW), *seeds(*HIGH, cell=BAG)])
    paths[0].write_text(paths[0].read_text().replace("0.88,", "0.98,"))
    assert main(["compare", "gdfq", "bag", "--results", str(tmp_path)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert paths[0].name in told and "does not match its digest" in told


def test_each_mistake_gets_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "has no runs yet" in complaint(tmp_path, capsys, "compare", "gdfq", "bag")
    store(tmp_path, seeds(*LOW))
    assert "did you mean gdfq" in complaint(tmp_path, capsys, "compare", "gdfq", "gdqf")
    assert "'oops' in 'gdfq oops' is no option" in complaint(tmp_path, capsys, "compare", "gdfq", "gdfq oops")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message=none")
    assert "gives no records" in complaint(tmp_path, capsys, "compare", "gdfq", "HEAD")
    store(tmp_path / "other", seeds(*LOW))
    told = complaint(tmp_path, capsys, "compare", "gdfq", str(tmp_path / "other"))
    assert "give two methods, two suites, or two commits" in told


def test_comparing_imports_no_torch_and_no_pandas(tmp_path: Path) -> None:
    store(tmp_path, [*seeds(*LOW), *seeds(*HIGH, cell=BAG)])
    code = "import sys; from pathlib import Path; from bench.compare import alarms, freezing, side, table\n"
    code += f"print(table.terminal(table.Comparison.of(*side.sides('gdfq', 'bag', Path({str(tmp_path)!r})))))\n"
    code += "print({'torch', 'pandas', 'mlflow', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"

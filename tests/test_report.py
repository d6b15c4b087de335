"""The tables: what they show of which records, and that the same records always give the same bytes."""

from __future__ import annotations

import csv as csv_module
import io
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from reportrecords import CELL, CPU, INIT, failed, finished, record, seeds, store

from bench import records
from bench.report import table
from bench.report.documents import documents
from bench.report.figures import points, seconds
from bench.report.rows import Sheet
from bench.spec import FULL, Bits

GPU = "cuda-sm90/torch-2.15.0/16-threads"


def sheets_of(results: Path, *made: records.Record) -> tuple[Sheet, ...]:
    store(results, list(made))
    return table.build(results).sheets


def rows_of(results: Path, *made: records.Record) -> list[dict[str, str]]:
    """The rows that the CSV files of these records have."""
    store(results, list(made))
    texts = [table.csv(document) for document in documents(table.build(results), ["accuracy"])]
    return [row for text in texts for row in csv_module.DictReader(io.StringIO(text))]


def texts_of(results: Path) -> list[str]:
    """The accuracies of a results folder for terminal, Markdown and LaTeX."""
    report = table.build(results)
    found = list(documents(report, ["accuracy"]))
    return [table.terminal(report), "".join(map(table.markdown, found)), "".join(map(table.latex, found))]


def many() -> list[records.Record]:
    """Records with something of everything: leagues, platforms, failures, a stand-in."""
    made = (
        seeds(0.88, 0.87, 0.89) + seeds(0.88, platform=GPU) + seeds(0.85, cell=CELL.but(options={"temperature": 5.0}))
    )
    made += seeds(0.9, cell=CELL.but(method="qkd", tutor="ab" * 32), method={"data": "train", "quantizer": "symmetric"})
    made += seeds(0.7, 0.72, cell=CELL.but(bits=Bits(3, 3))) + seeds(0.5, cell=CELL.but(dataset="cifar100"))
    made += seeds(0.4, cell=CELL.but(dataset="shapes10"), data={"stand_in": True})
    return [*made, failed(CELL.but(method="bag")), failed(CELL.but(method="akt", seed=3), "oom", "no memory")]


# the same records, the same bytes


def test_rendering_again_gives_the_same_bytes(tmp_path: Path) -> None:
    store(tmp_path, many())
    first = {path: path.read_bytes() for path in table.write(tmp_path)}
    kinds = ("", "cost/")  # these records tell of no epochs, so that there is no budget to compare at
    stems = [f"{kind}{dataset}" for dataset in ("cifar10", "cifar100", "shapes10") for kind in kinds]
    assert {path.relative_to(tmp_path / "tables").as_posix() for path in first} == {
        f"{stem}.{suffix}" for stem in stems for suffix in ("csv", "md", "tex")
    }
    assert {path: path.read_bytes() for path in table.write(tmp_path)} == first


def test_order_of_creation_and_place_do_not_matter(tmp_path: Path) -> None:
    made = many()
    store(tmp_path / "one", made)
    random.Random(3).shuffle(made)
    store(tmp_path / "elsewhere" / "two", made)
    for folder in ("one", "elsewhere/two"):
        (tmp_path / folder / "records/cifar10/gdfq/torn.json").write_text("{")
    assert texts_of(tmp_path / "one") == texts_of(tmp_path / "elsewhere/two")
    assert str(tmp_path) not in "".join(texts_of(tmp_path / "one"))


@pytest.mark.parametrize(
    "environment", [{"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "LC_ALL": "C", "TZ": "Asia/Tokyo"}]
)
def test_hash_seed_locale_and_time_zone_do_not_matter(tmp_path: Path, environment: dict[str, str]) -> None:
    store(tmp_path, many())
    before = {path: path.read_bytes() for path in table.write(tmp_path)}
    shutil.rmtree(tmp_path / "tables")
    program = "import sys, pathlib; from bench.report import table; table.write(pathlib.Path(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        check=True,
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[1],
    )
    assert {path: path.read_bytes() for path in before} == before


def test_order_of_keys_in_a_record_does_not_matter(tmp_path: Path) -> None:
    (path,) = store(tmp_path, [record(CELL.but(options={"a": 1, "b": 2}))])
    before = texts_of(tmp_path)
    turned = dict(reversed(list(json.loads(path.read_text()).items())))
    turned["spec"]["options"] = {"b": 2, "a": 1}
    path.write_text(json.dumps(turned))
    assert texts_of(tmp_path) == before


def test_a_relative_results_folder_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path, *_) = store(tmp_path, many())
    path.with_name("torn.json").write_text("{")
    before = texts_of(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert texts_of(Path()) == before


# leagues


@pytest.mark.parametrize(
    "change",
    [{"precision": "fp32"}, {"init": "2e" * 32}, {"schedule": "smoke"}, {"model": "resnet56"}, {"dataset": "cifar100"}],
    ids=lambda change: next(iter(change)),
)
def test_unlike_cells_never_share_a_table(tmp_path: Path, change: dict[str, str]) -> None:
    sheets = sheets_of(tmp_path, *seeds(0.88), *seeds(0.9, cell=CELL.but(**change)))
    assert [len(sheet.rows) for sheet in sheets] == [1, 1]


@pytest.mark.parametrize(
    "data", [{"stand_in": True}, {"fingerprint": "ee" * 32}, {"images": 500}], ids=lambda d: next(iter(d))
)
def test_unlike_data_never_share_a_table(tmp_path: Path, data: dict[str, object]) -> None:
    sheets = sheets_of(tmp_path, *seeds(0.88), *seeds(0.9, cell=CELL.but(method="bag"), data=data))
    assert [len(sheet.rows) for sheet in sheets] == [1, 1]


def test_rows_rank_within_bits_data_access_and_quantizer(tmp_path: Path) -> None:
    rows = rows_of(
        tmp_path,
        *seeds(0.80, cell=CELL.but(method="a")),
        *seeds(0.81, cell=CELL.but(method="b")),
        *seeds(0.99, cell=CELL.but(method="c"), method={"data": "train"}),
        *seeds(0.98, cell=CELL.but(method="d"), method={"quantizer": "zz"}),
        *seeds(0.70, cell=CELL.but(method="e", bits=Bits(3, 3))),
    )
    assert [row["method"] for row in rows] == ["e", "b", "a", "d", "c"]


def test_a_stand_in_has_a_heading_of_its_own(tmp_path: Path) -> None:
    store(tmp_path, [*seeds(0.88), *seeds(0.4, cell=CELL.but(dataset="shapes10"), data={"stand_in": True})])
    table.write(tmp_path)
    for suffix in ("md", "tex"):
        assert "stand-in data (procedural), not CIFAR" in (tmp_path / f"tables/shapes10.{suffix}").read_text()
        assert "stand-in" not in (tmp_path / f"tables/cifar10.{suffix}").read_text()
    assert "40.00" not in table.terminal(table.build(tmp_path), "cifar10")


def test_rows_rank_by_last_not_by_best(tmp_path: Path) -> None:
    steady = record(CELL.but(method="steady"), finished(last=0.9, best=0.9))
    lucky = record(CELL.but(method="lucky"), finished(last=0.89, best=0.95))
    rows = rows_of(tmp_path, steady, lucky)
    assert [(row["method"], row["last_percent"], row["best_percent"]) for row in rows] == [
        ("steady", "90.000000", "90.000000"),
        ("lucky", "89.000000", "95.000000"),
    ]


def test_platforms_have_rows_of_their_own_and_no_seed_counts_twice(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, *seeds(0.88, 0.89), *seeds(0.80, platform=GPU))
    assert [(row["platform"], row["n_seeds"], row["seeds"]) for row in rows] == [(CPU, "2", "0 1"), (GPU, "1", "0")]
    assert all(f"p1 = {CPU}; p2 = {GPU}" in " ".join(text.split()) for text in texts_of(tmp_path))


def test_a_copy_of_a_record_is_not_a_second_seed(tmp_path: Path) -> None:
    (path,) = store(tmp_path, seeds(0.88))
    shutil.copy(path, path.with_name("zz-copy.json"))
    report = table.build(tmp_path)
    assert report.sheets[0].rows[0].n == 1
    assert [file.path for file in report.unusable] == ["records/cifar10/gdfq/zz-copy.json"]


def test_versions_of_a_method_are_not_averaged_and_can_be_told_apart(tmp_path: Path) -> None:
    (sheet,) = sheets_of(tmp_path, *seeds(0.88), *seeds(0.89, method={"version": "gdfq-2"}))
    assert [row.n for row in sheet.rows] == [1, 1]
    assert [row.label for row in sheet.rows] == ["gdfq version=gdfq-2", "gdfq version=gdfq-1"]


def test_versions_of_a_reading_are_still_called_one(tmp_path: Path) -> None:
    made = [seeds(0.88, method={"version": version, "reading": "of a paper"}) for version in ("gdfq-1", "gdfq-2")]
    (sheet,) = sheets_of(tmp_path, *made[0], *made[1])
    assert {row.label for row in sheet.rows} == {"gdfq (reading) version=gdfq-1", "gdfq (reading) version=gdfq-2"}


def test_only_options_that_are_not_defaults_are_named(tmp_path: Path) -> None:
    (sheet,) = sheets_of(tmp_path, *seeds(0.88), *seeds(0.87, cell=CELL.but(options={"temperature": 5.0})))
    assert [row.label for row in sheet.rows] == ["gdfq", "gdfq temperature=5.0"]


def test_a_tutor_other_than_the_init_is_named_and_not_averaged(tmp_path: Path) -> None:
    (sheet,) = sheets_of(tmp_path, *(record(CELL.but(tutor=sha * 32)) for sha in ("ab", "cd")))
    assert sorted(row.label for row in sheet.rows) == ["gdfq tutor=abababab", "gdfq tutor=cdcdcdcd"]


def test_full_precision_training_is_no_row(tmp_path: Path) -> None:
    store(tmp_path, [record(CELL.but(method="pretrain", bits=FULL, init="", tutor=""))])
    assert table.build(tmp_path) == table.Report()


# numbers


def test_three_seeds_show_mean_and_sample_deviation(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, *seeds(0.88, 0.87, 0.89))
    assert (row["n_seeds"], row["last_percent"], row["last_sd_points"]) == ("3", "88.000000", "1.000000")
    assert row["last_wilson_low_percent"] == ""
    assert re.search(r"gdfq +3 +88.00 +± 1.00 +89.00 +83.70 +-3.60 +3.07 +99.00 +1,563 +p1", texts_of(tmp_path)[0])


def test_one_seed_shows_a_wilson_interval_and_no_deviation(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, *seeds(0.88))
    assert row["last_sd_points"] == ""
    p, n, z = 0.88, 10000, 1.959964  # Wilson 1927
    middle, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert float(row["last_wilson_low_percent"]) == pytest.approx(100 * (middle - half) / (1 + z**2 / n), abs=1e-5)
    assert float(row["last_wilson_high_percent"]) == pytest.approx(100 * (middle + half) / (1 + z**2 / n), abs=1e-5)
    assert re.search(r"gdfq +1 +88.00 +\[87.35, 88.62\]", texts_of(tmp_path)[0])


def test_seeds_stand_in_order(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, *seeds(*(0.88,) * 12))
    assert (row["seeds"], row["last_sd_points"]) == ("0 1 2 3 4 5 6 7 8 9 10 11", "0.000000")


@pytest.mark.parametrize(("last", "shown"), [(0.88, "-3.60"), (0.92, "+0.40"), (0.916, "+0.00")])
def test_the_gap_is_signed_last_minus_full_precision(tmp_path: Path, last: float, shown: str) -> None:
    rows_of(tmp_path, record(result=finished(last=last)))
    terminal, markdown, latex = texts_of(tmp_path)
    assert f" {shown} " in terminal and f" {shown} |" in markdown
    assert f" {shown.replace('-', '$-$')} &" in latex


def test_zero_has_no_minus() -> None:
    assert points(-1e-9) == "+0.00"


@pytest.mark.parametrize(("value", "shown"), [(3.21, "3.2"), (99.96, "100"), (1563.0, "1,563"), (None, "-")])
def test_seconds(value: float | None, shown: str) -> None:
    assert seconds(value) == shown


def test_the_full_precision_row_comes_from_the_records(tmp_path: Path) -> None:
    store(tmp_path, seeds(0.88))
    assert re.search(r"full +full precision +91.60 +\[91.04, 92.13\] +99.80 +p1", texts_of(tmp_path)[0])


def test_a_full_precision_model_measured_unlike_on_two_platforms_has_two_rows(tmp_path: Path) -> None:
    store(tmp_path, [record(), record(platform=GPU, result=finished(init=0.917))])
    assert re.findall(r"full precision +(\S+) .* (p\d)", texts_of(tmp_path)[0]) == [("91.60", "p1"), ("91.70", "p2")]


def test_what_was_not_recorded_is_absent_not_zero(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, record(result={"top1": {"last": 0.88, "best": 0.89}}, run={}))
    assert [row[name] for name in ("untrained_percent", "gap_points", "top5_percent", "cost_seconds")] == [""] * 4
    assert re.search(r"gdfq +1 +88.00 +\[87.35, 88.62\] +89.00 +- +- +- +- +p1", texts_of(tmp_path)[0])


# what is left out


def test_cells_without_a_result_are_listed_with_status_and_reason(tmp_path: Path) -> None:
    store(
        tmp_path, [*seeds(0.88), *(failed(CELL.but(method="bag", seed=s), "diverged", "loss is\nNaN") for s in (1, 0))]
    )
    wanted = f"cifar10 · resnet20 · quick · bf16 · W4A4 · bag · seeds 0, 1 · {CPU}: diverged: loss is NaN"
    terminal, markdown, latex = texts_of(tmp_path)
    assert wanted in " ".join(terminal.split())
    assert f"- {wanted}" in markdown
    assert wanted.replace("·", r"$\cdot$") in latex


def test_a_data_set_with_failures_alone_has_files_too(tmp_path: Path) -> None:
    store(tmp_path, [failed()])
    assert [path.name for path in table.write(tmp_path)] == ["cifar10.csv", "cifar10.md", "cifar10.tex"]
    assert (tmp_path / "tables/cifar10.csv").read_text().startswith("dataset,stand_in,model")


def corrupt(path: Path) -> None:
    path.write_text(path.read_text()[:200])


def edit_result(path: Path) -> None:
    path.write_text(path.read_text().replace('"last": 0.88', '"last": 0.98'))


def edit_spec(path: Path) -> None:
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 7'))


def other_schema(path: Path) -> None:
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (corrupt, "not readable as JSON"),
        (edit_result, "does not match its digest"),
        (edit_spec, "made under other rules, or changed"),
        (other_schema, "schema 2"),
    ],
)
def test_a_spoilt_record_is_reported_and_left_out(tmp_path: Path, spoil: Callable[[Path], None], reason: str) -> None:
    path, _ = store(tmp_path, seeds(0.88, 0.87))
    spoil(path)
    report = table.build(tmp_path)
    assert [outcome.last for outcome in report.sheets[0].rows[0].outcomes] == [0.87]
    (file,) = report.unusable
    assert file.path == path.relative_to(tmp_path).as_posix() and reason in file.reason
    assert f"- {file}".replace("_", r"\_") in texts_of(tmp_path)[1]


@pytest.mark.parametrize(
    "wrong",
    [
        record(result={"top1": {"best": 0.9}}),
        record(result=finished(last=88.0)),
        record(result={"top1": {**finished()["top1"], "untrained": "0.8"}}),
        record(result={**finished(), "top5": [0.9]}),
        record(run={"seconds": {"draw": "long"}}),
        record(data={"images": 0}),
        record(CELL.but(schedule="a|b")),
        record(CELL.but(seed="0")),  # type: ignore[arg-type]
        failed(CELL.but(options=[])),  # type: ignore[arg-type]
        failed(CELL.but(model="")),
    ],
    ids=["no last", "percent", "text", "list", "seconds", "no images", "schedule", "seed", "options", "model"],
)
def test_a_record_that_no_table_can_show_is_reported(tmp_path: Path, wrong: records.Record) -> None:
    store(tmp_path, [wrong])
    report = table.build(tmp_path)
    assert (len(report.sheets), len(report.whynot), len(report.unusable)) == (0, 0, 1)


def test_a_platform_that_is_no_text_is_reported(tmp_path: Path) -> None:
    (path,) = store(tmp_path, seeds(0.88))
    path.write_text(json.dumps({**json.loads(path.read_text()), "platform": ["cpu"]}))
    assert [file.reason for file in table.build(tmp_path).unusable] == ["platform is not text"]


def test_a_spoilt_record_shows_in_its_own_data_set_alone(tmp_path: Path) -> None:
    store(tmp_path, [*seeds(0.88), *seeds(0.5, cell=CELL.but(dataset="cifar100"))])
    (tmp_path / "records/cifar100/gdfq/torn.json").write_text("[]")
    table.write(tmp_path)
    assert "torn.json" in (tmp_path / "tables/cifar100.md").read_text()
    assert "torn.json" not in (tmp_path / "tables/cifar10.md").read_text()


@pytest.mark.parametrize("provenance", ["paper", "author-code"])
def test_other_provenances_do_not_rank_and_are_counted(tmp_path: Path, provenance: str) -> None:
    store(tmp_path, [*seeds(0.88), record(CELL.but(method="bag"), finished(last=0.99), provenance=provenance)])
    report = table.build(tmp_path)
    assert [row.entry.method for row in report.sheets[0].rows] == ["gdfq"]
    assert f"cifar10: 1 of provenance {provenance}" in table.terminal(report)


def test_runs_of_the_authors_programs_stand_beside_the_leaderboard(tmp_path: Path) -> None:
    made = seeds(0.91, 0.93, cell=CELL.but(method="bag"), platform="author-code/0123456", provenance="author-code")
    store(tmp_path, [*seeds(0.88), *made])
    report = table.build(tmp_path)
    (document,) = documents(report, ["accuracy"])
    assert [row["method"] for row in csv_module.DictReader(io.StringIO(table.csv(document)))] == ["gdfq"]
    assert document.grids[-1].lines == [
        ("W4A4", "bag", "resnet20", "quick", "2", "92.00", "± 1.41", "93.00", "91.60", "+0.40", "author-code/0123456")
    ]
    assert "do not rank" in " ".join(document.grids[-1].notes)


# text


def test_every_table_says_what_its_numbers_mean(tmp_path: Path) -> None:
    store(tmp_path, seeds(0.88))
    needed = ["selection on test data", "one trained model", "over n seeds", "not comparable to published"]
    needed += ["Trained in bf16", f"init {INIT[:8]}: 91.60", "nothing is called better", "10,000 test images"]
    for text in texts_of(tmp_path):
        one_line = " ".join(text.split())
        assert [phrase for phrase in needed if phrase not in one_line] == []


def test_the_published_schedule_is_not_called_shortened(tmp_path: Path) -> None:
    store(tmp_path, seeds(0.88, cell=CELL.but(schedule="paper")))
    assert "not comparable" not in " ".join(texts_of(tmp_path)[0].split())


def test_foreign_text_cannot_break_a_table(tmp_path: Path) -> None:
    nasty = "5%_of|a&b #1 $x \\y\n\x1b[31m漢"
    store(tmp_path, [record(CELL.but(options={"note": nasty})), failed(CELL.but(method="bag"), reason=nasty)])
    terminal, markdown, latex = texts_of(tmp_path)
    assert "\x1b" not in terminal + markdown + latex
    assert r"\u6f22" in terminal and "漢" not in "".join(line for line in markdown.splitlines() if line.startswith("|"))
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert r"5\%\_of|a\&b \#1 \$x \textbackslash{}y" in latex.replace(r"\textbackslash{}y ?", r"\textbackslash{}y")
    assert (
        re.search(r"(?<!\\)[%_#](?!.*needs)", re.sub(r"\\label{.*?}|^% needs.*$", "", latex, flags=re.MULTILINE))
        is None
    )
    assert latex.count(r"\begin{") == latex.count(r"\end{")


def test_latex_columns_are_as_many_in_every_line(tmp_path: Path) -> None:
    store(tmp_path, many())
    for tabular in re.findall(r"\\toprule(.*?)\\bottomrule", texts_of(tmp_path)[2], flags=re.DOTALL):
        lines = [line for line in tabular.strip().splitlines() if line != r"\midrule"]
        assert len(lines) > 2 and len({len(re.findall(r"(?<!\\)&", line)) for line in lines}) == 1


def test_the_terminal_is_at_most_120_columns_wide(tmp_path: Path) -> None:
    options = {f"option_{n}": "value" for n in range(30)}
    store(tmp_path, [*many(), *seeds(0.6, cell=CELL.but(options=options)), failed(reason="long " * 99, platform=GPU)])
    terminal = texts_of(tmp_path)[0]
    assert max(map(len, terminal.splitlines())) <= 120
    assert [option for option in options if f"{option}=value" not in terminal] == []


def test_nothing_is_bold_or_called_a_winner(tmp_path: Path) -> None:
    store(tmp_path, many())
    assert not re.search(r"\*\*|winner|textbf|\x1b", "".join(texts_of(tmp_path)))


def test_one_data_set_can_be_asked_for(tmp_path: Path) -> None:
    store(tmp_path, many())
    report = table.build(tmp_path)
    assert "cifar100 ·" not in table.terminal(report, "cifar10") and "cifar10 ·" in table.terminal(report, "cifar10")
    assert table.terminal(report, "svhn") == "No records of svhn yet; there are some of cifar10, cifar100, shapes10\n"


# files


def test_no_results_give_a_friendly_line_and_no_files(tmp_path: Path) -> None:
    assert table.terminal(table.build(tmp_path / "none")).startswith("Nothing to show yet")
    assert table.terminal(table.build(tmp_path), "cifar10").startswith("Nothing to show yet")
    assert table.write(tmp_path) == table.stale(tmp_path) == []


def test_the_check_sees_tables_that_are_absent_changed_or_outdated(tmp_path: Path) -> None:
    store(tmp_path, seeds(0.88))
    assert [path.name for path in table.stale(tmp_path)] == 2 * ["cifar10.csv", "cifar10.md", "cifar10.tex"]
    table.write(tmp_path)
    assert table.stale(tmp_path) == []
    changed = tmp_path / "tables/cifar10.md"
    changed.write_text(changed.read_text().replace("88.00", "88.01"))
    assert table.stale(tmp_path) == [changed]
    table.write(tmp_path)
    store(tmp_path, [record(CELL.but(seed=1))])
    assert len(table.stale(tmp_path)) == 6


def test_writing_removes_nothing_else(tmp_path: Path) -> None:
    store(tmp_path, seeds(0.88))
    kept = tmp_path / "tables/latency.csv"
    kept.parent.mkdir()
    kept.write_text("mine")
    table.write(tmp_path)
    assert kept.read_text() == "mine" and not list(kept.parent.glob(".*"))


def test_the_frame_has_numbers(tmp_path: Path) -> None:
    store(tmp_path, seeds(0.88, 0.87))
    frame = table.frame(table.build(tmp_path))
    assert frame.loc[0, "last_percent"] == pytest.approx(87.5) and frame.loc[0, "n_seeds"] == 2


def test_importing_the_report_imports_nothing_heavy() -> None:
    heavy = {"pandas", "tabulate", "scipy", "torch"}
    program = f"import sys, bench.report.table; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.strip() == "set()"

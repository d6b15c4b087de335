"""Statistics beside rows: minimal detectable effects, and methods against those that they are built on."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from reportrecords import CELL, record, seeds, store
from scipy.stats import ttest_ind

from bench.records import Record
from bench.report import table
from bench.report.documents import documents
from bench.report.effects import effects, minimal_effect
from bench.report.rows import Row, Sheet

LOW = (0.800, 0.802, 0.798, 0.801, 0.799)
HIGH = (0.812, 0.815, 0.809, 0.811, 0.813)
MIDDLE = (0.801, 0.803, 0.799, 0.802, 0.800)
BASE = CELL.but(method="adadfq")


def built_on(*lasts: float, method: str = "bag", **options: float) -> list[Record]:
    """Seeds of a method that composes with AdaDFQ."""
    return seeds(*lasts, cell=CELL.but(method=method, options=options), method={"version": f"{method}-1+adadfq-1"})


def base(*lasts: float) -> list[Record]:
    return seeds(*lasts, cell=BASE)


def sheet_of(results: Path, *made: Record) -> Sheet:
    store(results, list(made))
    (sheet,) = table.build(results).sheets
    return sheet


def row_of(sheet: Sheet, method: str) -> Row:
    (row,) = [row for row in sheet.rows if row.entry.method == method]
    return row


def test_a_method_is_compared_with_the_one_its_version_composes_with(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, *base(*LOW), *built_on(*HIGH), *seeds(*MIDDLE, cell=CELL))
    found = effects(sheet)
    assert {entry.method for entry in found} == {"bag"}
    effect = found[row_of(sheet, "bag").entry]
    expected = ttest_ind(HIGH, LOW, equal_var=False)
    assert effect.base == "adadfq" and effect.call == "better"
    assert effect.difference.p == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    assert (effect.difference.low, effect.difference.high) == pytest.approx((low, high))


def test_several_comparisons_of_a_table_are_corrected_together(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, *base(*LOW), *built_on(*HIGH), *built_on(*MIDDLE, method="akt"))
    found = {entry.method: effect for entry, effect in effects(sheet).items()}
    p = [ttest_ind(side, LOW, equal_var=False).pvalue for side in (HIGH, MIDDLE)]
    assert found["bag"].adjusted == pytest.approx(min(2 * p[0], p[1]))
    assert found["akt"].adjusted == pytest.approx(p[1])
    assert found["akt"].call == "cannot tell"
    assert "over the 2 comparisons of this table" in " ".join(table.terminal(table.build(tmp_path)).split())


@pytest.mark.parametrize(("base_seeds", "own_seeds"), [(4, 5), (5, 4), (1, 1)])
def test_under_five_seeds_a_side_nothing_is_compared(tmp_path: Path, base_seeds: int, own_seeds: int) -> None:
    sheet = sheet_of(tmp_path, *base(*LOW[:base_seeds]), *built_on(*HIGH[:own_seeds]))
    assert effects(sheet) == {}
    assert "against base" not in table.terminal(table.build(tmp_path))


def test_a_base_counts_only_at_its_defaults_and_on_the_same_platform(tmp_path: Path) -> None:
    changed = seeds(*LOW, cell=BASE.but(options={"temperature": 5.0}))
    elsewhere = seeds(*LOW, cell=BASE, platform="cuda-sm90/torch-2.15.0/16-threads")
    assert effects(sheet_of(tmp_path, *changed, *elsewhere, *built_on(*HIGH))) == {}


def test_rows_show_the_comparison_and_files_have_its_numbers(tmp_path: Path) -> None:
    store(tmp_path, [*base(*LOW), *built_on(*HIGH)])
    report = table.build(tmp_path)
    assert "+1.20 [" in table.terminal(report) and " better" in table.terminal(report)
    (document,) = documents(report, ["accuracy"])
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(table.csv(document)))}
    assert rows["bag"]["against_base_points"] == "1.200000" and rows["bag"]["base"] == "adadfq"
    assert rows["adadfq"]["against_base_points"] == rows["adadfq"]["base"] == ""


def test_the_minimal_effect_shrinks_with_seeds_and_is_unknown_for_one(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, *base(*LOW), *built_on(*LOW[:3]), record(CELL))
    five, three = minimal_effect(row_of(sheet, "adadfq")), minimal_effect(row_of(sheet, "bag"))
    assert five is not None and three is not None and five < three
    assert five == pytest.approx(2.02 * row_of(sheet, "adadfq").sd, rel=0.01)  # 2.02 deviations: Cohen's tables, n = 5
    assert minimal_effect(row_of(sheet, "gdfq")) is None

"""The equal-budget view: accuracies at equal images seen and at equal seconds, from the stored curves."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from reportrecords import CELL, curved, record, store

from bench.records import Record
from bench.report import table
from bench.report.budget import budgets, within
from bench.report.documents import documents
from bench.report.rows import Row


def cell(method: str, curve: tuple[float, ...], seconds: float, images: float | None = None, seed: int = 0) -> Record:
    run: dict[str, Any] = {"seconds": {"learn": seconds}} | ({"images": images} if images else {})
    return record(CELL.but(method=method, seed=seed), curved(*curve), run=run)


def row_of(results: Path, *made: Record) -> Row:
    store(results, list(made))
    (sheet,) = table.build(results).sheets
    (row,) = sheet.rows
    return row


def test_an_epoch_counts_once_it_has_ended_within_the_budget(tmp_path: Path) -> None:
    row = row_of(tmp_path, cell("gdfq", (0.1, 0.2, 0.3, 0.4), seconds=40.0))
    found = [within(row, "seconds", budget) for budget in (9.9, 10.0, 25.0, 39.0, 40.0, 1000.0)]
    assert found == [None, (0.1, False), (0.2, False), (0.3, False), (0.4, True), (0.4, True)]


def test_seeds_are_averaged_each_at_its_own_pace(tmp_path: Path) -> None:
    row = row_of(tmp_path, cell("gdfq", (0.25, 0.5), 20.0), cell("gdfq", (0.75, 1.0), 40.0, seed=1))
    assert within(row, "seconds", 15.0) is None
    assert within(row, "seconds", 20.0) == (0.625, False)
    assert within(row, "seconds", 40.0) == (0.75, True)


def test_the_ladder_goes_from_the_first_epoch_to_the_last_end(tmp_path: Path) -> None:
    store(tmp_path, [cell("gdfq", (0.1, 0.2), 50.0), cell("bag", (0.1, 0.2, 0.3, 0.4), 320.0)])
    (sheet,) = table.build(tmp_path).sheets
    assert budgets(sheet.rows, "seconds") == [30.0, 100.0, 300.0, 1000.0]
    assert budgets(sheet.rows, "images") == []


def test_a_small_batch_is_compared_at_the_images_of_a_large_one(tmp_path: Path) -> None:
    small = cell("adadfq", (0.5, 0.6, 0.7), 90.0, images=3_000)
    large = cell("gdfq", (0.3, 0.4, 0.8), 90.0, images=30_000)
    store(tmp_path, [small, large])
    (document,) = documents(table.build(tmp_path), ["budget"])
    rows = [row for row in csv.DictReader(io.StringIO(table.csv(document))) if row["currency"] == "images"]
    reached = {(row["method"], float(row["budget"])): (row["top1_percent"], row["ended"]) for row in rows}
    assert reached["adadfq", 3000.0] == ("70.000000", "true") and reached["gdfq", 3000.0] == ("", "")
    assert reached["gdfq", 10_000.0] == ("30.000000", "false") and reached["gdfq", 30_000.0] == ("80.000000", "true")


def test_a_run_that_has_ended_is_marked_and_the_definition_told(tmp_path: Path) -> None:
    store(tmp_path, [cell("gdfq", (0.5, 0.6), 20.0), cell("bag", (0.4, 0.7), 200.0)])
    shown = table.terminal(table.build(tmp_path), kind="budget")
    lines = {line.split()[2]: line.split()[3:] for line in shown.splitlines() if line.startswith("W4A4")}
    assert lines == {
        "gdfq": ["50.00", "(60.00)", "(60.00)", "(60.00)", "p1"],
        "bag": ["-", "-", "40.00", "(70.00)", "p1"],
    }
    one_line = " ".join(shown.split())
    assert "no results of shorter runs" in one_line and "Seconds compare on one machine alone" in one_line


def test_records_without_curves_have_no_budgets(tmp_path: Path) -> None:
    store(tmp_path, [record()])
    assert list(documents(table.build(tmp_path), ["budget"])) == []

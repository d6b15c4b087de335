"""Published figures: the committed file, how figures pair with measured rows, and lines that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportrecords import CELL, finished, record, store

from bench import registry
from bench.method import defaults_of
from bench.report import published, table
from bench.report.documents import documents
from bench.report.pairs import Pair, pairs
from bench.report.published import Figure
from bench.spec import FULL, Bits

RESULTS = Path(__file__).resolve().parents[1] / "results"
LINE = {
    "method": "GDFQ", "dataset": "cifar10", "model": "resnet20", "bits": "W4A4", "top1": "90.25",
    "full_precision": "93.89", "source": "a paper", "confidence": "high", "epoch": "best", "seeds": "unknown",
    "batch": "200", "schedule": "400 epochs of 200 steps", "adapter": "gdfq",
}  # fmt: skip


def figures(results: Path, *changes: dict[str, str]) -> tuple[Figure, ...]:
    """The figures of a file with one line for each of these changes."""
    lines = [",".join(({**LINE, **change})[name] for name in published.COLUMNS) for change in changes]
    (results / published.NAME).write_text("\n".join([",".join(published.COLUMNS), *lines, ""]))
    return published.read(results)[0]


def paired(results: Path, *changes: dict[str, str]) -> list[Pair]:
    figures(results, *changes)
    report = table.build(results)
    return [pair for figure in report.figures for pair in pairs(figure, report.sheets)]


# the committed file


def test_every_line_of_the_committed_file_is_read() -> None:
    found, unusable = published.read(RESULTS)
    assert unusable == []
    assert {dataset: sum(figure.dataset == dataset for figure in found) for dataset in ("cifar10", "cifar100")} == {
        "cifar10": 71,
        "cifar100": 63,
    }
    assert {figure.model for figure in found} == {"resnet20"}


def test_figures_that_claims_rest_on_are_as_published() -> None:
    found = {(f.method, f.dataset, f.bits): f for f in published.read(RESULTS)[0] if f.confidence == "high"}
    for method, dataset, k, top1 in (
        ("AdaDFQ", "cifar100", 3, 0.5274),
        ("BAG", "cifar100", 3, 0.5614),
        ("AdaDFQ+AKT", "cifar10", 3, 0.8676),
        ("GDFQ", "cifar100", 4, 0.6358),
    ):
        assert found[method, dataset, Bits(k, k)].top1 == top1


def test_every_adapter_that_figures_name_has_the_options_they_name() -> None:
    for adapter in {figure.adapter for figure in published.read(RESULTS)[0]} - {""}:
        name, *options = adapter.split()
        assert {option.partition("=")[0] for option in options} <= defaults_of(registry.get(name).card).keys()


# pairing


def test_gaps_are_signed_measured_minus_published(tmp_path: Path) -> None:
    store(tmp_path, [record(result=finished(last=0.88, best=0.91, init=0.92))])
    (pair,) = paired(tmp_path, {})
    assert [round(gap, 6) for gap in pair.gaps if gap] == [-0.0225, 0.0075]
    assert [round(drop, 6) for drop in pair.drops if drop] == [-0.0364, -0.04]


@pytest.mark.parametrize(
    ("epoch", "fair"), [("best", "best"), ("probably best", "best"), ("last", "last"), ("unknown", "unknown")]
)
def test_best_is_compared_with_best_and_last_with_last(tmp_path: Path, epoch: str, fair: str) -> None:
    store(tmp_path, [record()])
    (pair,) = paired(tmp_path, {"epoch": epoch})
    assert pair.fair == fair
    assert ("epoch unknown" in pair.differs) == (epoch == "unknown")


def test_what_differs_is_named(tmp_path: Path) -> None:
    store(tmp_path, [record(CELL.but(schedule="quick"), finished(init=0.9179))])
    (pair,) = paired(tmp_path, {})
    assert pair.differs == (
        "quick against 400 epochs of 200 steps; trained in bf16; full precision 91.79 against 93.89; "
        "n = 1 against seeds unknown"
    )


def test_only_the_method_as_published_is_compared(tmp_path: Path) -> None:
    store(tmp_path, [record(), record(CELL.but(options={"temperature": 5.0})), record(CELL.but(bits=Bits(3, 3)))])
    store(tmp_path, [record(CELL.but(dataset="cifar100")), record(CELL.but(method="adadfq"))])
    (pair,) = paired(tmp_path, {})
    assert pair.row and pair.row.label == "gdfq"


def test_options_that_a_figure_names_are_required_or_free(tmp_path: Path) -> None:
    defaults = {"base": "adadfq", "form": 1}
    for options in (defaults, {"base": "adadfq", "form": 0}, {"base": "gdfq", "form": 0}, {"base": "gdfq", "form": 1}):
        cell = CELL.but(method="akt", options=options)
        store(tmp_path, [record(cell, method={"defaults": defaults})])
    over_gdfq = paired(tmp_path, {"adapter": "akt base=gdfq form=*"})
    assert {p.row.label for p in over_gdfq if p.row} == {"akt base=gdfq", "akt base=gdfq form=0"}
    over_adadfq = paired(tmp_path, {"adapter": "akt form=*"})
    assert {p.row.label for p in over_adadfq if p.row} == {"akt", "akt form=0"}


def test_the_longest_schedule_is_compared(tmp_path: Path) -> None:
    store(tmp_path, [record(), record(CELL.but(schedule="paper"))])
    (pair,) = paired(tmp_path, {})
    assert pair.board and pair.board.schedule == "paper" and "quick" not in pair.differs


def test_a_stand_in_is_never_compared(tmp_path: Path) -> None:
    store(tmp_path, [record(data={"stand_in": True})])
    assert [pair.board for pair in paired(tmp_path, {}, {"bits": "full", "adapter": ""})] == [None, None]


def test_full_precision_models_are_compared_too(tmp_path: Path) -> None:
    store(tmp_path, [record(result=finished(init=0.92))])
    (pair,) = paired(tmp_path, {"method": "Full precision", "bits": "full", "top1": "93.89", "adapter": ""})
    assert pair.figure.bits == FULL and pair.fair == "last" and round(pair.gaps[0] or 0, 6) == -0.0189


def test_published_figures_do_not_rank_and_what_is_not_measured_stands_apart(tmp_path: Path) -> None:
    store(tmp_path, [record()])
    figures(tmp_path, {}, {"method": "Qimera", "top1": "98.76", "adapter": ""})
    report = table.build(tmp_path)
    assert "98.76" not in table.terminal(report)
    (document,) = documents(report, ["published"])
    measured, alone = document.grids
    assert [line[1] for line in measured.lines] == ["GDFQ"] and [line[1] for line in alone.lines] == ["Qimera"]
    assert "Published figures never rank" in " ".join(measured.notes)


# lines that are wrong


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"top1": "0.9025"}, "'0.9025' is no percentage"),
        ({"top1": "190.25"}, "'190.25' is no percentage"),
        ({"full_precision": "?"}, "'?' is no percentage"),
        ({"bits": "W1A1"}, "outside W2A2..W8A8"),
        ({"epoch": "median"}, "epoch 'median' is none of last, best"),
        ({"confidence": ""}, "confidence '' is none of high"),
        ({"dataset": "../x"}, "dataset '../x' is not a name"),
        ({"source": "a,paper"}, "it must have 13 cells"),
    ],
)
def test_a_line_that_is_wrong_is_reported_and_the_others_kept(
    tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    assert len(figures(tmp_path, {}, change, {"bits": "W3A3"})) == 2
    (file,) = published.read(tmp_path)[1]
    assert file.path == "published.csv" and file.reason.startswith("line 3: ") and reason in file.reason


def test_a_file_with_other_columns_is_reported(tmp_path: Path) -> None:
    (tmp_path / published.NAME).write_text("method,top1\nGDFQ,90.25\n")
    found, (file,) = published.read(tmp_path)
    assert found == () and "its columns must be method, dataset" in file.reason


def test_no_file_has_no_figures(tmp_path: Path) -> None:
    assert published.read(tmp_path) == ((), [])

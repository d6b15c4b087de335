"""Plots: what they show of which records, how they are drawn, and that equal records give equal bytes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from reportrecords import CELL, CPU, finished, record, seeds, store

from bench.cli import main
from bench.measure import measurement
from bench.measure.measurement import Measurement
from bench.plots import files
from bench.plots.accuracy import accuracy
from bench.plots.choice import KINDS, closeups, overviews
from bench.plots.curves import curves, losses
from bench.plots.draw import svg
from bench.plots.figure import Axis, Figure, Line, Panel, Point
from bench.plots.layers import layers, quantities
from bench.plots.pareto import front, pareto
from bench.plots.seeds import seeds as seeds_figure
from bench.plots.single import MOST, single, thinned
from bench.plots.sources import Sources
from bench.plots.style import style
from bench.records import Record
from bench.report.contents import build
from bench.report.figures import percent
from bench.report.rows import Sheet
from bench.spec import Bits

ROOT = Path(__file__).resolve().parents[1]
LAYERS = {"features.activ": [0.0, 4.0], "output.activ": [-1.0, 1.0]}


def trained(epochs: int = 3, weights: str = "d4" * 32, **changes: Any) -> Record:
    """A record with curves and all that is known of layers."""
    result = finished() | {
        "weights": weights,
        "ranges": LAYERS,
        "signal_to_noise": {
            "weights": {"features.conv": 21.5, "output": 23.0},
            "activations": {"features.activ": 18.0},
        },
        "epochs": [
            {
                "epoch": epoch,
                "phase": "train",
                "top1": 0.8 + 0.01 * epoch,
                "losses": {"draw/statistics": 2.0 / (epoch + 1), "learn/zero": 0.0},
                "gradient_norms": {"features.conv": 2.0 + epoch, "output": 1.0},
            }
            for epoch in range(epochs)
        ],
    }
    return record(result=result, **changes)


def sheet_of(results: Path, *made: Record) -> Sheet:
    store(results, list(made))
    (sheet,) = build(results).sheets
    return sheet


def cost(results: Path, model: str, bits: Bits, operations: int) -> None:
    """Store what was counted of a model."""
    values = {"bit_operations": operations, "packed_bytes": operations // 1000, "macs": 1, "fp32_bytes": 1}
    measurement.write(
        results,
        Measurement(
            kind="cost", kernel="none", model=model, cells=[], name={"dataset": "cifar10", "model": "resnet20"},
            bits={"w": bits.w, "a": bits.a}, platform="any", processor="any", batch=1,
            values=values | {"packed": {}, "layers": []}, beside=None, settings={}, disturbed=[], seen={},
            environment={}, time=None,
        ),
    )  # fmt: skip


# what figures show


def test_accuracy_shows_the_numbers_and_intervals_of_the_table(tmp_path: Path) -> None:
    low = CELL.but(bits=Bits(3, 3), method="qkd")
    sheet = sheet_of(tmp_path, *seeds(0.88, 0.89, 0.9), *seeds(0.7, cell=low))
    (panel,) = accuracy(sheet).panels
    assert panel.x.names == ("W3A3", "W4A4")
    shown = {line.label: line.points[0] for line in panel.lines if not line.quiet}
    rows = {row.label: row for row in sheet.rows}
    assert shown.keys() == rows.keys()
    assert {name: f"{point.y:.2f}" for name, point in shown.items()} == {n: percent(r.last) for n, r in rows.items()}
    assert shown["gdfq"].high == pytest.approx(90.0) and shown["gdfq"].low == pytest.approx(88.0)
    interval = rows["qkd"].interval
    assert interval and (shown["qkd"].low, shown["qkd"].high) == pytest.approx([100 * end for end in interval])
    (full,) = (line for line in panel.lines if line.quiet)
    assert full.label == "full precision 91.60"


def test_intervals_at_one_bit_width_stand_beside_each_other(tmp_path: Path) -> None:
    methods = [seeds(0.8, cell=CELL.but(options={"temperature": float(t)}))[0] for t in range(12)]
    (panel,) = accuracy(sheet_of(tmp_path, *methods)).panels
    places = [line.points[0].x for line in panel.lines if not line.quiet]
    assert len(set(places)) == 12
    assert max(places) - min(places) < 0.6


def test_one_method_on_two_platforms_is_two_lines_that_say_which(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, *seeds(0.8), *seeds(0.8, platform="cuda/torch-2.15.0"))
    labels = accuracy(sheet).labels
    assert len(labels) == 2
    assert {CPU in label for label in labels} == {True, False}


def test_the_pareto_front_has_no_point_that_another_beats() -> None:
    points = [Point(1, 50), Point(2, 70), Point(2, 60), Point(3, 65), Point(4, 90)]
    assert front(points) == (Point(1, 50), Point(2, 70), Point(4, 90))


def test_pareto_lays_accuracy_against_measured_cost_and_is_absent_without_it(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, trained(weights="a1" * 32), trained(cell=CELL.but(bits=Bits(3, 3)), weights="b2" * 32))
    assert pareto(sheet, build(tmp_path).measured) is None
    cost(tmp_path, "a1" * 32, Bits(4, 4), 2_000_000_000)
    figure = pareto(sheet, build(tmp_path).measured)
    assert figure is not None
    operations, size = figure.panels
    marks = [point for line in operations.lines if not line.quiet for point in line.points]
    assert [(mark.x, round(mark.y, 6)) for mark in marks] == [(2.0, 88.0)]
    assert size.lines[0].points[0].x == 2000.0


def test_seed_spread_shows_each_seed_beside_mean_and_deviation(tmp_path: Path) -> None:
    figure = seeds_figure(sheet_of(tmp_path, *seeds(0.88, 0.9)))
    assert figure is not None
    *marks, mean = figure.panels[0].lines[0].points
    assert [round(mark.y, 6) for mark in marks] == [88.0, 90.0]
    assert mean.y == pytest.approx(89.0) and mean.high == pytest.approx(89.0 + 2**0.5)


def test_seed_spread_is_absent_where_every_row_has_one_seed(tmp_path: Path) -> None:
    assert seeds_figure(sheet_of(tmp_path, *seeds(0.88))) is None


def test_curves_have_one_line_a_seed_and_losses_leave_out_what_has_no_logarithm(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, trained(), trained(cell=CELL.but(seed=1)))
    training, fell = curves(sheet, Sources(tmp_path)), losses(sheet, Sources(tmp_path))
    assert training is not None and fell is not None
    lines = training.panels[0].lines
    assert [[round(point.y, 6) for point in line.points] for line in lines] == [[80.0, 81.0, 82.0]] * 2
    assert fell.labels == ["draw/statistics"]


def test_no_curve_is_drawn_of_a_single_epoch(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, trained(epochs=1))
    assert curves(sheet, Sources(tmp_path)) is None
    assert losses(sheet, Sources(tmp_path)) is None


def test_layers_show_noise_range_widths_and_mean_gradient_norms(tmp_path: Path) -> None:
    figure = layers(sheet_of(tmp_path, trained()), Sources(tmp_path))
    assert figure is not None
    shown = {panel.y.label: [point.y for point in panel.lines[0].points] for panel in figure.panels}
    assert shown == {
        "weights: signal to quantization noise, dB": [21.5, 23.0],
        "activations: signal to quantization noise, dB": [18.0],
        "activations: width of the range": [4.0, 2.0],
        "weights: gradient norm": [3.0, 1.0],
    }


def test_gradients_that_a_method_watched_count_as_gradient_norms() -> None:
    epochs = [{"epoch": 0, "watched": {"gradient/output": 2.0, "other/output": 9.0}}]
    assert quantities(record(result={"epochs": epochs})) == {"weights: gradient norm": {"output": 2.0}}


@pytest.mark.parametrize(
    "odd",
    [
        {"epochs": "none"},
        {"epochs": [1, {"epoch": "x", "top1": 0.5}, {"epoch": 1, "top1": None, "losses": [1]}]},
        {"ranges": {"a": [0.0], "b": "wide", "c": [0.0, None]}},
        {"ranges": [1], "signal_to_noise": {"weights": {"a": "loud"}, "activations": 3}},
    ],
)
def test_what_is_not_of_the_expected_kind_is_not_drawn(odd: dict[str, Any]) -> None:
    assert single(record(result=finished() | odd)) == []


def test_long_curves_are_thinned_with_their_ends_kept() -> None:
    points = tuple(Point(x, x) for x in range(400))
    kept = thinned(points)
    assert len(kept) == MOST and kept[0] == points[0] and kept[-1] == points[-1]
    assert thinned(points[:MOST]) == points[:MOST]


# how they are drawn


def test_no_two_of_the_first_280_lines_look_the_same() -> None:
    assert len({style(place) for place in range(280)}) == 280


def test_neighbouring_lines_differ_in_colour_marker_and_dash() -> None:
    for place in range(40):
        one, other = style(place), style(place + 1)
        assert one.colour != other.colour and one.marker != other.marker and one.dash != other.dash


def test_names_are_drawn_as_text_whatever_is_in_them() -> None:
    label = r"gdfq x=$\frac{1}$ </text><script>alert('1')</script> & ]]>"
    lines = (Line(label, (Point(0, 1.0), Point(1, 2.0))),)
    panel = Panel(label, Axis(label, (label, "b")), Axis("y", log=True), lines)
    drawn = svg(Figure("accuracy", label, label, (panel,)))
    tree = ElementTree.fromstring(drawn)
    assert not [element for element in tree.iter() if element.tag.endswith("script")]
    texts = [element.text for element in tree.iter() if element.tag.endswith("}text")]
    assert texts.count(label) >= 4


def test_every_kind_of_plot_is_written_with_the_same_bytes_by_any_process(tmp_path: Path) -> None:
    store(tmp_path, [trained(), trained(cell=CELL.but(seed=1))])
    cost(tmp_path, "d4" * 32, Bits(4, 4), 2_000_000_000)
    written = files.write(tmp_path)
    assert {path.stem.rpartition("-")[2] for path in written} == set(KINDS)
    first = {path.name: path.read_bytes() for path in written}
    assert not any(re.search(rb"<dc:date>|20\d\d-\d\d-\d\d", data) for data in first.values())
    script = "import sys, pathlib, bench.plots.files as f; f.write(pathlib.Path(sys.argv[1]))"
    elsewhere = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "MPLBACKEND": "svg"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, env=elsewhere, check=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()} == first


def test_plots_that_no_record_stands_behind_any_more_go_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    for name in ("cifar10-gone-accuracy.svg", "drawing.svg"):
        (tmp_path / "plots" / name).write_text("<svg/>")
    assert main(["plots", "--results", str(tmp_path)]) == 0
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["drawing.svg"]


def test_without_matplotlib_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path, seeds(0.88))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["plots", "--results", str(tmp_path)]) == 2
    told = "error: drawing plots needs the package matplotlib: pip install 'lowbit-bench[plots]'\n"
    assert capsys.readouterr().err == told


def test_every_figure_of_a_sheet_is_of_a_known_kind(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, trained(), trained(cell=CELL.but(seed=1)))
    found = [*overviews(sheet, build(tmp_path).measured), *closeups(sheet, Sources(tmp_path))]
    assert {figure.kind for figure in found} == set(KINDS) - {"pareto"}

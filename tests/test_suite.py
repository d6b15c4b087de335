"""Suites: product of axes, overrides, and all mistakes of a file at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import SuiteInvalid
from bench.spec import Bits
from bench.suite import read

GOOD = """
name = "demo"
[axes]
dataset = ["cifar10"]
method = ["gdfq"]
bits = ["W4A4", "3"]
seed = [0, 1]
[[override]]
where = { method = "gdfq", bits = "W3A3" }
options = { temperature = 10.0 }
"""


def suite_of(folder: Path, text: str) -> Path:
    path = folder / "demo.toml"
    path.write_text(text)
    return path


def test_points_are_the_product_of_the_axes(tmp_path: Path) -> None:
    points = list(read(suite_of(tmp_path, GOOD)).points())
    assert [(p.bits, p.seed) for p in points] == [(Bits(4, 4), 0), (Bits(4, 4), 1), (Bits(3, 3), 0), (Bits(3, 3), 1)]
    assert {p.model for p in points} == {"resnet20"}


def test_overrides_touch_only_the_points_they_name(tmp_path: Path) -> None:
    options = {str(p.bits): p.options for p in read(suite_of(tmp_path, GOOD)).points()}
    assert options == {"W4A4": {}, "W3A3": {"temperature": 10.0}}


def test_all_mistakes_are_reported_at_once_with_their_keys(tmp_path: Path) -> None:
    text = (
        'nam = "x"\n[axes]\ndataset = "cifar10"\nmethod = ["gdqf"]\nbits = ["W9A9", "four"]\n'
        'schedule = ["0-epochs", "auto", "40-epochs"]\nseed = [-1]\nsead = [0]\n'
    )
    with pytest.raises(SuiteInvalid) as caught:
        read(suite_of(tmp_path, text))
    message = str(caught.value)
    for expected in (
        "name: must be given",
        "unknown key 'nam'",
        "axes.dataset: must be a list",
        "did you mean gdfq?",
        "W9A9",
        "'four'",
        "unknown schedule '0-epochs'; did you mean N-epochs?",
        "a seed must be a whole number",
        "did you mean seed or schedule?",
    ):
        assert expected in message


def test_broken_toml_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SuiteInvalid, match="line 2"):
        read(suite_of(tmp_path, 'name = "x"\n[axes\n'))


def test_missing_file_suggests_the_near_ones() -> None:
    with pytest.raises(SuiteInvalid, match="did you mean suites/cifar10"):
        read(Path("suites/cifar1.toml"))


def test_every_suite_of_the_project_reads() -> None:
    found = sorted(Path(__file__).resolve().parents[1].glob("suites/*.toml"))
    assert len(found) >= 3
    for path in found:
        assert list(read(path).points())


VARIANTS = """
name = "demo"
[axes]
dataset = ["cifar10"]
method = ["gdfq", { name = "gdfq", options = { temperature = 10.0, statistics = 1.0 } }]
bits = ["W4A4"]
[[override]]
where = { method = "gdfq" }
options = { statistics = 0.2 }
"""


def test_a_method_may_stand_with_options_of_its_own_and_overrides_come_on_top(tmp_path: Path) -> None:
    points = list(read(suite_of(tmp_path, VARIANTS)).points())
    assert [p.method for p in points] == ["gdfq", "gdfq"]
    assert [p.options for p in points] == [{"statistics": 0.2}, {"temperature": 10.0, "statistics": 0.2}]


@pytest.mark.parametrize(
    ("variant", "complaint"),
    [
        ('{ name = "gdqf" }', "did you mean gdfq?"),
        ('{ nam = "gdfq" }', "did you mean name?"),
        ('{ name = "gdfq", options = 3 }', "options must be a table, not 3"),
        ("{ options = {} }", "unknown method 'None'"),
    ],
)
def test_mistakes_in_a_variant_are_named(tmp_path: Path, variant: str, complaint: str) -> None:
    text = f'name = "x"\n[axes]\ndataset = ["cifar10"]\nmethod = [{variant}]\nbits = ["W4A4"]\n'
    with pytest.raises(SuiteInvalid) as caught:
        read(suite_of(tmp_path, text))
    assert "axes.method" in str(caught.value)
    assert complaint in str(caught.value)

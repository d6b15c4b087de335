"""The project's claims and their cells, and what is said of mistakes in such a file."""

from __future__ import annotations

import math
import re
import textwrap
from pathlib import Path

import pytest

from bench.claims.cells import suite
from bench.claims.file import Claim, Claims, ClaimsInvalid, chosen, read
from bench.method import settled
from bench.registry import get
from bench.spec import FULL, Bits
from bench.sweep.wish import Wish, wished

PROJECT = Path(__file__).resolve().parents[1] / "suites" / "claims.toml"
ALL_WRONG = """
name = ""
nam = "x"
[[claim]]
name = "one"
says = "s"
model = "resnet2"
full = { cifar10 = 193 }
unlike = "text"
arms.base = { method = "gdqf" }
arms.new = { method = "gdfq", option = {}, bits = "W9A9" }
compare = [
    { of = "neu", over = "base", expect = "gains" },
    { of = "new", over = "base", expect = "within" },
    { of = "new", over = "base", expect = "gain", margin = 0.3 },
    { of = "new", over = "base", expect = "gain", measure = "gradient" },
]
at = [{ dataset = "cifar10", bits = "W3A3" }, { dataset = "cifar10", bits = "W4A4", published = [70] }]
[[claim]]
name = "one"
paper = "p"
says = "s"
arms = {}
compare = []
at = [{ bits = "W3A3" }]
[[out_of_scope]]
paper = "p"
why = "w"
"""


@pytest.fixture(scope="module")
def project() -> Claims:
    return read(PROJECT)


def claim(claims: Claims, name: str) -> Claim:
    return chosen(claims, [name]).claims[0]


@pytest.mark.parametrize(
    ("base", "gains"),
    [
        ("gdfq", [0.57, 0.08, -0.02, 1.47, -0.02, 1.34]),
        ("hast", [0.73, 0.25, 0.09, 1.59, 0.86, 0.09]),
        ("adadfq", [1.87, 0.33, 0.02, 1.94, 0.13, -0.18]),
    ],
)
def test_all_eighteen_cells_of_akts_table_are_there(project: Claims, base: str, gains: list[float]) -> None:
    found = claim(project, f"akt-{base}")
    assert [spot.gain for spot in found.spots] == gains
    at = [(dataset, str(bits)) for dataset in ("cifar10", "cifar100") for bits in ("W3A3", "W4A4", "W5A5")]
    assert [(spot.dataset, str(spot.bits)) for spot in found.spots] == at
    assert found.arms["base"].method == base and not found.arms["base"].options
    forms = {name: arm.options["form"] for name, arm in found.arms.items() if arm.method == "akt"}
    assert forms == {"form-0": 0, "form-1": 1}
    assert {arm.options["base"] for arm in found.arms.values() if arm.method == "akt"} == {base}


def test_bag_is_tested_whole_and_each_part_alone(project: Claims) -> None:
    bag = claim(project, "bag")
    assert [(s.dataset, s.bits, s.gain) for s in bag.spots] == [("cifar100", Bits(3, 3), 3.4)]
    assert {c.of: c.expect for c in bag.comparisons} == {"both": "gain", "generator": "more", "attention": "more"}
    assert bag.arms["generator"].options == {"attention": "none"}  # what is switched off is the other part
    assert bag.arms["attention"].options == {"generator": "none"}


@pytest.mark.parametrize(
    ("name", "model", "bits"), [("qkd-resnet", "resnet20", 3), ("qkd-mobilenet", "mobilenetv2", 6)]
)
def test_qkd_is_held_to_its_own_recipe_in_full_precision(project: Claims, name: str, model: str, bits: int) -> None:
    qkd = claim(project, name)
    assert qkd.model == model and "on CIFAR" in qkd.paper
    assert {spot.bits for spot in qkd.spots} == {Bits(bits, bits)}
    assert qkd.arms["fp-continue"].bits == FULL and not qkd.arms["fp-continue"].options
    assert ("qkd", "fp-continue", "within", 0.3) in [(c.of, c.over, c.expect, c.margin) for c in qkd.comparisons]


def test_every_arm_is_a_method_with_options_that_it_has_and_a_schedule(project: Claims) -> None:
    for found in project.claims:
        for arm in found.arms.values():
            assert settled(get(arm.method), arm.options).schedule.epochs > 0


def test_students_of_qkds_arms_train_equally_long(project: Claims) -> None:
    arms = claim(project, "qkd-resnet").arms.values()
    assert {settled(get(arm.method), arm.options).schedule.epochs for arm in arms} == {200}


def test_the_suite_has_each_cell_once_at_as_many_seeds_as_a_verdict_needs(project: Claims) -> None:
    points = list(suite(project).points())
    assert {point.seed for point in points} == set(range(5))
    assert all(points.count(point) == 1 for point in points[:20])
    adadfq = [p for p in points if p.method == "adadfq" and p.dataset == "cifar100" and p.bits == Bits(3, 3)]
    assert len(adadfq) == 5  # an arm of AKT's claim and of BAG's
    arms = sum(len(c.arms) * len(c.spots) for c in project.claims)
    assert len(points) < 5 * arms


def test_wishes_choose_schedule_precision_and_cells_of_claims(project: Claims) -> None:
    wish = Wish(method="bag", schedule="paper", precision="bf16", seeds=2)
    points = list(wished(suite(project), wish, "cpu"))
    assert {(p.method, p.schedule, p.precision) for p in points} == {("bag", "paper", "bf16")}
    assert len(points) == 3 * 2


def test_all_mistakes_are_reported_at_once_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(ALL_WRONG)
    with pytest.raises(ClaimsInvalid) as caught:
        read(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path} has {len(lines) - 1} mistake(s):"
    for expected in (
        "name: must be text, not ''",
        "nam: unknown key 'nam'; did you mean name or claim?",
        "claim 1 (one): paper: must be given",
        "claim 1 (one): model: unknown model 'resnet2'; did you mean",
        "claim 1 (one): full: must be percent by data set",
        "claim 1 (one): unlike: must be a list of texts",
        "claim 1 (one): arms.base: method: unknown method 'gdqf'; did you mean gdfq?",
        "claim 1 (one): arms.new: option: unknown key 'option'; did you mean options?",
        "claim 1 (one): arms.new: bits: bits 'W9A9' are outside",
        "claim 1 (one): at 2: published: must be two percentages",
        "claim 1 (one): compare 1: of: unknown arm 'neu'; did you mean new?",
        "claim 1 (one): compare 1: expect: unknown expectation 'gains'; did you mean gain?",
        "claim 1 (one): compare 2: within what? give a margin",
        'claim 1 (one): compare 3: margin: only expect = "within" has one',
        'claim 1 (one): compare 3: expect = "gain" needs published',
        "claim 1 (one): compare 4: gradients are not in points",
        "claim 2 (one): arms: must be a table with at least one entry",
        "claim 2 (one): compare: must be a list of at least one table",
        "claim 2 (one): at 1: dataset: must be given",
        "2 claims are called one",
        "out_of_scope 1: says: must be given",
    ):
        assert any(line.strip().startswith(expected) for line in lines), expected


@pytest.mark.parametrize("value", ["true", "nan", "-1", '"x"'])
def test_margins_are_points_above_zero(tmp_path: Path, value: str) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(PROJECT.read_text().replace("margin = 0.3", f"margin = {value}"))
    with pytest.raises(ClaimsInvalid, match="margin: must be points above 0"):
        read(path)
    assert math.isclose(claim(read(PROJECT), "qkd-resnet").comparisons[0].margin, 0.3)


def test_a_file_that_is_not_there_or_no_toml_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(ClaimsInvalid, match="there is no claims file"):
        read(tmp_path / "absent.toml")
    (tmp_path / "broken.toml").write_text("name = \n")
    with pytest.raises(ClaimsInvalid, match="line 1"):
        read(tmp_path / "broken.toml")


def test_the_claim_that_the_documentation_shows_is_one(tmp_path: Path) -> None:
    page = (PROJECT.parents[1] / "docs" / "claims.md").read_text()
    (shown,) = re.findall(r"^(    \[\[claim\]\]\n(?:    .*\n)+)", page, re.M)
    path = tmp_path / "claims.toml"
    path.write_text('name = "shown"\n' + textwrap.dedent(shown))
    (found,) = read(path).claims
    assert found.spots[0].gain == 1.87 and found.unlike

"""The conformance kit: honest adapters pass, each cheat is seen to fail, and expected failures are held to."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from cheats import (
    CARD,
    CHEATS,
    Honest,
    Options,
    RandomImages,
    Tutored,
    building,
    declining,
    drawing,
    first_layer_at_8,
    opening,
    refuse_all,
)

from bench import registry
from bench.cli import main
from bench.conformance import CHECKS, ExpectationInvalid, NotConforming, Problem, check
from bench.conformance.report import judge
from bench.conformance.trial import Trial
from bench.errors import OptionInvalid, UnknownName

HONEST = Honest()
TUTORED = Tutored()
FIRST = "features.init_block.conv"


@pytest.mark.parametrize("name", CHECKS)
def test_an_honest_adapter_passes(name: str) -> None:
    check(HONEST, only=[name]).raise_if_failed()


@pytest.mark.parametrize("name", CHECKS)
def test_an_adapter_with_a_tutor_of_its_own_and_labelled_images_passes(name: str) -> None:
    check(TUTORED, only=[name]).raise_if_failed()


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheat_fails_its_check_and_is_told_what_to_write(cheat: str) -> None:
    adapter, name, told = CHEATS[cheat]
    outcome = check(adapter, only=[name])[name]
    assert outcome.status == "failed"
    assert re.search(told, outcome.line()), outcome.line()


def test_every_check_has_a_cheat() -> None:
    assert {name for _, name, _ in CHEATS.values()} == set(CHECKS)


METHODS = [name if name == "gdfq" else pytest.param(name, marks=pytest.mark.slow) for name in registry.names()]


@pytest.mark.parametrize("method", METHODS)
def test_the_projects_own_methods_keep_the_contract(method: str) -> None:
    check(method).raise_if_failed()


def test_options_and_another_network_reach_the_adapter() -> None:
    report = check("gdfq", {"temperature": 4, "ranges": "published"}, only=["bits", "losses"], model="resnet32")
    assert [outcome.status for outcome in report.outcomes] == ["passed", "passed"]


def test_wrong_options_are_told_of_all_at_once() -> None:
    with pytest.raises(OptionInvalid, match=r"temprature.*did you mean temperature.*ranges of gdfq must be one of"):
        check("gdfq", {"temprature": 1, "ranges": "none"})


@dataclass(frozen=True)
class Shifting(Options):
    shifted: bool = False
    shift: float = 0.5


def test_an_option_that_only_another_choice_reads_counts_as_read() -> None:
    class Choosy(RandomImages):
        def images(self, step, student):
            drawn = super().images(step, student)
            return drawn + self.setup.options.shift if self.setup.options.shifted else drawn

    class Conditional(Honest):
        card = replace(CARD, options=Shifting)
        drawing = Choosy

    check(Conditional(), only=["options"]).raise_if_failed()


def test_other_seeds_interrupt_at_other_steps() -> None:
    stops = [Trial(HONEST, seed=seed).stops for seed in range(8)]
    assert len({steps[0] for steps in stops}) > 1
    assert all(steps[-1] == 5 and steps[0] >= 1 for steps in stops)


def test_global_random_streams_are_left_as_they_were() -> None:
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(5)
    expected = random.random(), np.random.rand(), float(torch.rand(()))
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(5)
    check(Honest(), only=["determinism"])
    assert (random.random(), np.random.rand(), float(torch.rand(()))) == expected


def test_an_adapter_that_declines_everything_is_told_of_with_its_reason() -> None:
    line = check(declining(refuse_all), only=["losses"])["losses"].line()
    assert "it declines all bit-widths on resnet20: it is Sunday; choose another network" in line


def test_an_adapter_that_breaks_down_is_named_with_file_and_line() -> None:
    def broken(self, step, student):
        raise ZeroDivisionError("no images")

    line = check(drawing(broken), only=["losses"])["losses"].line()
    assert re.search(r"failed +losses +test_conformance.py:\d+: ZeroDivisionError: no images", line)


def test_a_cheat_fails_no_check_but_its_own() -> None:
    report = check(drawing(opening("train")), only=["losses", "determinism", "resume", "census", "bits", "sync"])
    report.raise_if_failed()


def test_an_expected_failure_covers_the_layer_it_names() -> None:
    adapter = building(first_layer_at_8)
    assert check(adapter, only=["bits"])["bits"].problems == [
        Problem(FIRST, "weight has 8 bits in a cell of W4A4", "give it those of setup.cell.bits")
    ]
    outcome = check(adapter, expected={f"bits:{FIRST}": "8 bits, as its authors have it"}, only=["bits"])["bits"]
    assert outcome.status == "expected failure" and outcome.ok
    assert outcome.line().endswith("8 bits, as its authors have it")
    assert check(adapter, expected={"bits:output": "not this one"}, only=["bits"])["bits"].status == "failed"


def test_an_expected_failure_that_does_not_fail_is_an_error() -> None:
    report = check(HONEST, expected={"bits": "they say so"}, only=["bits", "census"])
    assert report["bits"].status == "unexpected pass" and report["census"].ok
    with pytest.raises(NotConforming, match=r"bits \(unexpected pass\): .*declared to fail \(they say so\); take that"):
        report.raise_if_failed()


def test_expectations_are_checked_all_at_once() -> None:
    with pytest.raises(ExpectationInvalid, match=r"unknown check 'censos'; did you mean census.*'bits' needs a reason"):
        check(HONEST, expected={"censos": "why", "bits": " "})
    with pytest.raises(UnknownName, match="did you mean sync"):
        check(HONEST, only=["syncs"])


def test_every_problem_is_raised_with_its_check() -> None:
    adapter, _, _ = CHEATS["no citation"]
    with pytest.raises(NotConforming, match=r"(?s)'honest' does not keep the contract:\n  card \(failed\): card.cita"):
        check(adapter, only=["card", "losses"]).raise_if_failed()


def test_a_line_shows_the_first_problems_and_counts_the_others() -> None:
    line = judge("bits", [Problem(f"layer{k}", "is wide") for k in range(5)], {}).line()
    assert line.endswith("layer0: is wide | layer1: is wide | layer2: is wide | and 2 more")


def test_the_command_prints_a_line_a_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "pretrain", "--device", "cpu", "--option", "peak=0.1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["passed", name] for name in CHECKS]


def test_the_command_fails_where_a_check_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "pretrain", "--device", "cpu", "--expect", "bits=they are odd"]) == 1
    assert "unexpected pass  bits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["gdqf"], "did you mean gdfq"),
        (["gdfq", "--option", "temprature=1", "--option", "ranges=none"], "did you mean temperature.*option ranges"),
        (["gdfq", "--expect", "bit=why"], "unknown check 'bit'; did you mean bits"),
        (["gdfq", "--model", "resnet21"], "unknown model 'resnet21'"),
    ],
)
def test_wrong_arguments_are_one_clear_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *arguments, "--device", "cpu"]) == 2
    assert re.search(f"^error: .*{told}", capsys.readouterr().err)

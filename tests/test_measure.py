"""Models made again from packed weights, and the arithmetic of latencies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from storedcells import kept, pictures, trained
from tiny import network, student

from bench.errors import ModelCorrupt
from bench.measure import latency
from bench.measure.stored import stored
from bench.method import Method
from bench.quant.describe import activation_ranges
from bench.quant.pack import pack
from bench.quant.unpack import unpack
from bench.runner.evaluate import score
from bench.spec import Bits
from methods.gdfq import GDFQ
from methods.qkd import QKD


@pytest.fixture(autouse=True, scope="module")
def single() -> Iterator[None]:
    """One thread: two that share a busy core wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


METHODS = [
    (GDFQ(), {"ranges": "corrected", "student_rate": 0.01}),
    (GDFQ(), {"ranges": "published", "student_rate": 0.01}),
    (QKD(), {"first_last_bits": 0}),
    (QKD(), {"first_last_bits": 8}),
]


@pytest.mark.parametrize(("method", "options"), METHODS)
def test_a_stored_model_is_right_on_exactly_the_images_of_its_record(
    tmp_path: Path, method: Method, options: dict[str, Any]
) -> None:
    track = trained(method, "W5A4", **options)
    record = kept(tmp_path, track)
    found, images = stored(tmp_path, record), pictures().normalised(0, 8)
    assert score(found.model, pictures()).packed() == record.result["correct"]
    assert activation_ranges(found.model) == record.result["ranges"]
    with torch.no_grad():
        assert torch.equal(found.model(images), track.learner.student()(images))
        assert torch.equal(found.full(images), network()(images))


def test_a_model_under_another_range_rule_is_told_by_its_ranges() -> None:
    """The tensors are equal, and only one of both rules gives the record's ranges."""
    for rule in ("corrected", "published"):
        model = student("W4A4", rule=rule)
        images = torch.randn(2, 3, 32, 32)
        again = unpack(network, pack(model), Bits(4, 4), activation_ranges(model))
        assert torch.equal(again(images), model(images))


@pytest.mark.parametrize(
    ("bits", "ranges", "told"),
    [
        (Bits(3, 4), {}, "no W3A4 model of this network has these tensors"),
        (Bits(4, 4), {"stem.relu": [0.0, 1.0]}, "not those of the record"),
    ],
)
def test_tensors_of_something_else_are_refused(bits: Bits, ranges: dict[str, list[float]], told: str) -> None:
    with pytest.raises(ModelCorrupt, match=told):
        unpack(network, pack(student("W4A4")), bits, ranges)


def test_ranges_of_another_run_are_refused() -> None:
    model = student("W4A4")
    ranges = {name: [lo, 1.001 * hi] for name, (lo, hi) in activation_ranges(model).items()}
    with pytest.raises(ModelCorrupt, match="not those of the record"):
        unpack(network, pack(model), Bits(4, 4), ranges)


class Clock:
    """Notes its passes in a common list."""

    def __init__(self, name: str, passes: list[str]) -> None:
        self.name, self.passes = name, passes

    def __call__(self) -> None:
        self.passes.append(self.name)
        time.sleep(0.002 if self.name == "b" else 0)


def test_models_are_measured_in_turn_and_the_order_turns_around() -> None:
    passes: list[str] = []
    models = {name: Clock(name, passes) for name in "ab"}
    latency.warm_up(models.values(), "cpu", 1)
    assert passes == ["a", "b"]
    found = latency.sample(models, "cpu", 3)
    assert "".join(passes[2:]) == "abbaab"
    assert [len(samples) for samples in found.values()] == [3, 3]
    assert min(found["b"]) >= 0.002 > min(found["a"]) > 0


def test_percentiles_are_samples_and_missing_where_samples_are_too_few() -> None:
    many = latency.summary(8, [i / 100 for i in range(100, 0, -1)])
    assert (many["p50"], many["p90"], many["p99"]) == (0.5, 0.9, 0.99)
    assert many["samples"][0] == 1.0
    assert many["images_per_second"] == pytest.approx(8 / 0.505, abs=1e-3)
    few = latency.summary(1, [0.2] * 98 + [0.3])
    assert (few["p50"], few["p90"], few["p99"]) == (0.2, 0.2, None)
    assert latency.summary(1, [0.5])["p90"] is None


def test_settings_of_a_measurement_end_with_it() -> None:
    before = torch.get_num_threads()
    with latency.settings(before + 1):
        assert torch.get_num_threads() == before + 1
        assert not torch.backends.cudnn.allow_tf32
    assert torch.get_num_threads() == before
    assert torch.backends.cudnn.allow_tf32

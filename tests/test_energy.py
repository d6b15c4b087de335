"""Energy: joules between two readings of NVML's counter, and None where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pynvml
import pytest

from bench.measure import devices, energy
from bench.measure.energy import Meter


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A GPU that takes two joules between any two readings."""
    millijoules = count(5_000_000, 2000)
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda uuid: uuid)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", lambda handle: next(millijoules))
    yield


def test_a_meter_counts_from_when_it_was_made(counter: None) -> None:
    meter = Meter("x")
    assert (meter.joules(), meter.joules()) == (2.0, 4.0)


def test_a_cpu_and_a_gpu_without_a_counter_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: object) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda uuid: uuid)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", refuse)
    assert Meter("x").joules() is None
    assert Meter(None).joules() is None


def test_consumption_is_of_a_thousand_images(counter: None, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[None] = []
    monkeypatch.setattr(energy, "SECONDS", 0.01)
    monkeypatch.setattr(devices, "uuid", lambda device: "x")
    found = energy.consumption(lambda: passes.append(None), "cpu", batch=8)
    assert found["images"] == 8 * len(passes)
    assert found["joules"] == 2.0
    assert found["joules_per_1000"] == pytest.approx(2000 / (8 * len(passes)), abs=1e-6)
    assert found["seconds"] >= 0.01

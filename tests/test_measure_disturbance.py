"""What disturbs a measurement: the machine's counters, what NVML says, and the sentences about both."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from bench.measure import gpu
from bench.measure.disturbance import Moment, facts, judge, watch
from bench.measure.gpu import GpuState

QUIET = Moment(time=10.0, busy=100.0, stolen=1.0, own=5.0, throttled=3, held_back=0.5, mhz=2000.0)


def later(**changes: Any) -> Moment:
    """Ten seconds after QUIET, of which this process used eight of one core, and nobody else anything."""
    return replace(QUIET, **({"time": 20.0, "busy": 108.0, "own": 13.0} | changes))


def test_a_machine_of_our_own_disturbs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert judge(QUIET, later()) == []
    assert judge(QUIET, later(busy=108.9, stolen=1.19)) == []
    found = facts(QUIET, later(busy=108.9))
    assert (found["others_cores"], found["own_cores"], found["throttled"]) == (0.09, 0.8, 0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"busy": 109.1}, "other processes used 0.11 of 2 cores (more than 0.10)"),
        ({"stolen": 1.3}, "the hypervisor took 1.5% of the processors' time (more than 1%)"),
        ({"throttled": 5}, "processors were slowed down for heat 2 times"),
        ({"held_back": 0.75}, "the container's CPU quota made it wait for 0.250 s"),
    ],
)
def test_each_disturbance_has_its_sentence(changes: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert judge(QUIET, later(**changes)) == [told]


def test_many_cores_allow_half_a_core_and_what_is_unknown_is_no_disturbance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert judge(QUIET, later(busy=112.9)) == []
    assert judge(QUIET, later(busy=113.1)) == ["other processes used 0.51 of 64 cores (more than 0.50)"]
    blind = replace(QUIET, throttled=None, held_back=None)
    assert judge(blind, later()) == []
    assert facts(blind, later())["throttled"] is None


def test_a_busy_process_of_someone_else_is_seen_and_our_own_work_is_not_others() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    assert busy.stdout is not None
    busy.stdout.readline()
    try:
        with watch() as seen:
            until = time.process_time() + 0.3
            while time.process_time() < until:
                pass
    finally:
        busy.kill()
        busy.communicate()
    assert any("other processes used" in sentence for sentence in seen.sentences)
    assert seen.facts["own_cores"] * seen.facts["seconds"] == pytest.approx(0.3, abs=0.05)


CARD = GpuState(1980, 3201, 40, 120.0, reasons=(), held_back=0, processes=(os.getpid(),))


def test_a_gpu_of_our_own_disturbs_nothing_and_one_that_says_nothing_neither() -> None:
    silent = GpuState(*[None] * 7)
    assert gpu.judge(CARD, CARD) == gpu.judge(silent, silent) == []
    assert gpu.judge(CARD, replace(CARD, processes=(os.getpid(), 7)), quiet=[7]) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"processes": (7, 8, os.getpid())}, "other processes were on the GPU: 7, 8"),
        ({"reasons": ("power limit",)}, "the GPU was slowed down: power limit"),
        ({"held_back": 2_000_000}, "power or heat held the GPU back for 0.002 s"),
    ],
)
def test_each_disturbance_of_a_gpu_has_its_sentence(changes: dict[str, Any], told: str) -> None:
    assert gpu.judge(CARD, replace(CARD, **changes)) == [told]


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """An NVML that gives these answers; it supports nothing else."""
    answers: dict[str, Any] = {"Init": None, "DeviceGetHandleByUUID": "handle"}

    def say(name: str) -> Any:
        def answer(*given: Any) -> Any:
            if name not in answers:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
            return answers[name]

        return answer

    for name in [name for name in dir(pynvml) if name.startswith(("nvmlDeviceGet", "nvmlInit"))]:
        monkeypatch.setattr(pynvml, name, say(name.removeprefix("nvml")))
    yield answers


def test_what_nvml_says_is_read_and_what_it_does_not_support_is_none(nvml: dict[str, Any]) -> None:
    assert gpu.state("x") == GpuState(*[None] * 7)
    nvml["DeviceGetCurrentClocksEventReasons"] = 0x1 | 0x4 | 0x40
    nvml["DeviceGetViolationStatus"] = SimpleNamespace(violationTime=5)
    nvml["DeviceGetPowerUsage"] = 119_500
    nvml["DeviceGetTemperature"] = 41
    nvml["DeviceGetComputeRunningProcesses"] = [SimpleNamespace(pid=os.getpid()), SimpleNamespace(pid=1)]
    found = gpu.state("x")
    assert found.reasons == ("power limit", "hardware thermal slowdown")
    assert (found.held_back, found.watts, found.celsius, found.sm_mhz) == (10, 119.5, 41, None)
    assert found.processes == tuple(sorted((1, os.getpid())))


def test_who_is_on_the_gpu_is_unknown_where_our_own_process_is_not_listed(nvml: dict[str, Any]) -> None:
    nvml["DeviceGetComputeRunningProcesses"] = [SimpleNamespace(pid=1)]
    with watch("x") as seen:
        pass
    assert seen.facts["gpu"]["after"]["processes"] == "unknown"
    assert not any("GPU" in sentence for sentence in seen.sentences)

"""What a group costs: its clocks, its peaks phase by phase, and its energy while the GPU is its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bench.measure import gpu, memory
from bench.runner.checkpoint import Checkpoint, save
from bench.runner.clock import Clock
from bench.runner.energy import Energy
from bench.runner.peaks import Peaks

MEGABYTE = 1_000_000


def test_a_clock_tells_work_from_waiting() -> None:
    clock = Clock("work", "wait")
    with clock.on("wait"):
        time.sleep(0.05)
    with clock.on("work"):
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
    assert clock.seconds["wait"] >= 0.05 > 2 * clock.cpu_seconds["wait"]
    assert clock.seconds["work"] >= clock.cpu_seconds["work"] - 0.001 >= 0.048


def test_a_clock_counts_the_block_in_which_it_is_loaded_on_top() -> None:
    before, clock = Clock("draw", "other"), Clock("draw", "other")
    before.seconds["draw"], before.seconds["other"] = 8.0, 4.0
    with clock.on("other"):
        clock.load(before.state(), part=0.25)
        time.sleep(0.01)
    assert clock.seconds["draw"] == 2.0
    assert 1.01 <= clock.seconds["other"] < 2.0


@pytest.mark.skipif(not memory.FORGET.exists(), reason="only Linux can forget the peak of the resident set")
def test_each_phase_has_its_own_peak_and_keeps_the_highest() -> None:
    peaks = Peaks("cpu")
    for megabytes in (200, 50):
        peaks.enter("train")
        torch.ones(megabytes * MEGABYTE, dtype=torch.uint8)
        peaks.enter("evaluate")
    peaks.enter("other")
    torch.ones(400 * MEGABYTE, dtype=torch.uint8)
    found = peaks.report()
    assert found["train"]["resident"] - found["evaluate"]["resident"] > 150 * MEGABYTE
    assert found["rss"] - found["train"]["resident"] > 150 * MEGABYTE


def test_peaks_of_a_killed_process_are_kept() -> None:
    before = {"rss": 10**15, "train": {**memory.peaks("cpu"), "resident": 10**14, "nvml_process": "unknown"}}
    peaks = Peaks("cpu")
    peaks.load(before)
    peaks.enter("train")
    peaks.enter("other")
    found = peaks.report()
    assert (found["rss"], found["train"]["resident"]) == (10**15, 10**14)
    assert "evaluate" not in found


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The counter of a GPU, in joules, which a test turns by hand."""
    turned = [1000.0]
    monkeypatch.setattr(gpu, "joules", lambda uuid: turned[0])
    yield turned


def test_energy_is_counted_while_the_gpu_is_the_groups_own(counter: list[float]) -> None:
    energy = Energy("some-uuid")
    energy.start()
    counter[0] += 5
    energy.stop()  # somebody measures
    energy.stop()
    counter[0] += 100
    energy.start()
    counter[0] += 2
    energy.start()
    counter[0] += 1
    assert energy.joules() == 8
    resumed = Energy("some-uuid")
    resumed.start()
    resumed.load(energy.joules())
    counter[0] += 4
    assert resumed.joules() == 12


def test_energy_of_a_cpu_is_not_known() -> None:
    energy = Energy(None)
    energy.start()
    energy.stop()
    energy.start()
    assert energy.joules() is None


def test_a_checkpoint_of_another_version_is_told_and_removed(tmp_path: Path) -> None:
    said: list[str] = []
    checkpoint = Checkpoint(tmp_path, "source", "key", ["one"], said.append)
    checkpoint.save({"next": 3, "tracks": {"one": {}}})
    found = checkpoint.load(torch.device("cpu"))
    assert found is not None and found["next"] == 3
    save(checkpoint.path, {"next": 3, "tracks": {"one": {}}})
    assert checkpoint.load(torch.device("cpu")) is None
    assert not checkpoint.path.exists()
    assert len(said) == 1 and "computed again" in said[0]

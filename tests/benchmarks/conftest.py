"""The fixture `beside`, and at the end the ratios of now beside the stored ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from beside import Beside, Ratio, Ratios
from pytest_benchmark.fixture import BenchmarkFixture

NOW, STORED = pytest.StashKey[Ratios](), pytest.StashKey[Ratios]()


@pytest.fixture
def beside(benchmark: BenchmarkFixture, pytestconfig: pytest.Config) -> Beside:
    return Beside(benchmark, pytestconfig.stash[NOW])


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOW], config.stash[STORED] = {}, {}


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """What ratios depend on: not the clock of the moment or the host's name, but torch and the GPU."""
    for varying in ("hz_actual", "hz_actual_friendly"):
        machine_info["cpu"].pop(varying, None)
    del machine_info["node"]
    machine_info["torch"] = torch.__version__
    machine_info["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None


def pytest_benchmark_compare_machine_info(config: pytest.Config, compared_benchmark: dict[str, Any]) -> None:
    """Keep a stored run's ratios; runs come oldest first, so that the latest one of each benchmark stays."""
    for run in compared_benchmark["benchmarks"]:
        ratios = {name: Ratio(**ratio) for name, ratio in run["extra_info"].get("ratios", {}).items()}
        config.stash[STORED].setdefault(run["fullname"], {}).update(ratios)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.section("ratios: median (middle half of the rounds)")
    for fullname, ratios in config.stash[NOW].items():
        terminalreporter.write_line(fullname.removeprefix("tests/benchmarks/"))
        for name, now in ratios.items():
            then = now.since(config.stash[STORED].get(fullname, {}).get(name))
            terminalreporter.write_line(f"    {now} times {name}; {then}")

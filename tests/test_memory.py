"""Memory: the kernel's counter of this process, phase by phase, and what is said where nothing is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest
from storedcells import finished

from bench.errors import BenchError
from bench.measure import footprint, gpu, memory
from bench.measure.footprint import FootprintFailed
from bench.measure.subject import Machine

MIB = 2**20

PHASES = """
import json
from bench.measure import memory
def phase(mebibytes):
    memory.reset("cpu")
    block = bytearray(mebibytes << 20)
    for page in range(0, len(block), 4096):
        block[page] = 1
    del block
    return memory.peaks("cpu")["resident"]
before = memory.resident()
print(json.dumps([before, phase(96), phase(1), phase(48)]))
"""


@pytest.mark.skipif(not memory.FORGET.exists(), reason="this system cannot forget a peak")
def test_each_phase_has_its_own_peak() -> None:
    done = subprocess.run([sys.executable, "-c", PHASES], capture_output=True, text=True, check=True)
    before, *peaks = json.loads(done.stdout)
    assert [round((peak - before) / MIB / 8) * 8 for peak in peaks] == [96, 0, 48]


def test_neither_memory_nor_energy_imports_torch_or_nvml() -> None:
    code = "import sys; from bench.measure import memory, energy, kernels; memory.peaks('cpu'); energy.Meter(None)"
    heavy = "assert not {'torch', 'pynvml', 'numpy', 'mlflow'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", f"{code}\n{heavy}"], check=True)


def test_on_a_cpu_nothing_is_said_of_a_gpu() -> None:
    found = memory.peaks("cpu")
    assert {key for key, value in found.items() if value is None} >= {
        "allocated",
        "reserved",
        "nvml_process",
        "nvml_device",
    }


def test_a_system_that_cannot_forget_a_peak_says_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "FORGET", tmp_path / "no" / "such" / "file")
    monkeypatch.setattr(memory, "_stuck", False)
    memory.reset("cpu")
    assert memory.peaks("cpu")["resident"] is None


@pytest.mark.parametrize(("listed", "own"), [([(os.getpid(), 7)], 7), ([(os.getpid(), None)], None), ([(1, 7)], None)])
def test_what_nvml_does_not_say_of_this_process_is_none(
    listed: list[tuple[int, int | None]], own: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in listed]
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda uuid: uuid)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", lambda handle: processes)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda handle: SimpleNamespace(used=99))
    assert gpu.used_bytes("x") == (own, 99)
    assert gpu.used_bytes(None) == (None, None)


def test_a_models_passes_take_more_memory_the_more_images_there_are(tmp_path: Path) -> None:
    record, machine = finished(tmp_path), Machine("cpu", 1, 1, 1.0)
    few, many = (footprint.peaks(tmp_path, record, "quantized", machine, batch) for batch in (1, 64))
    own = [found["resident"] - found["baseline"] for found in (few, many)]
    assert 0 < own[0] < own[1]
    assert own[1] > 64 * 16 * 32 * 32 * 4  # a map of the first layer


def test_a_footprint_that_cannot_be_taken_is_one_line(tmp_path: Path) -> None:
    record = finished(tmp_path)
    (tmp_path / record.run["weights_file"]).unlink()
    with pytest.raises(FootprintFailed, match="was not measured: .*its weights are not in") as error:
        footprint.peaks(tmp_path, record, "full", Machine("cpu", 1, 1, 1.0), 1)
    assert isinstance(error.value, BenchError)
    assert "\n" not in str(error.value)

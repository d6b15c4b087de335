"""What NVML says of one GPU: clocks, temperature, throttling, who computes on it, memory and energy."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import pynvml

REASONS = {
    0x4: "power limit",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}
"""Bits of NVML's clock event reasons that mean slower than the clocks asked for."""

HELD_BACK = 1_000_000
"""Nanoseconds that power and heat may hold a GPU back."""


@dataclass(frozen=True)
class GpuState:
    """A GPU at one moment. None wherever NVML does not say.

    Attributes:
        sm_mhz, memory_mhz: clocks. celsius: temperature. watts: power drawn.
        reasons: why it is slower than asked for, of REASONS.
        held_back: nanoseconds so far that power and heat held it back.
        processes: ids of the processes that compute on it; None too where this process, which does, is not listed.
    """

    sm_mhz: int | None
    memory_mhz: int | None
    celsius: int | None
    watts: float | None
    reasons: tuple[str, ...] | None
    held_back: int | None
    processes: tuple[int, ...] | None


def state(uuid: str) -> GpuState:
    """The GPU of a uuid, with or without the `GPU-` before it; of a process that already computes on it."""
    handle = _handle(uuid)
    if handle is None:
        return GpuState(*[None] * 7)
    milliwatts = _said(pynvml.nvmlDeviceGetPowerUsage, handle)
    return GpuState(
        sm_mhz=_said(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        memory_mhz=_said(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
        celsius=_said(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
        watts=None if milliwatts is None else milliwatts / 1000,
        reasons=_reasons(_said(pynvml.nvmlDeviceGetCurrentClocksEventReasons, handle)),
        held_back=_held_back(handle),
        processes=_processes(handle),
    )


def judge(before: GpuState, after: GpuState, quiet: Collection[int] = ()) -> list[str]:
    """A sentence for each thing that disturbed a measurement between two states.

    Args:
        quiet: processes that are known to do nothing on the GPU.
    """
    found = []
    foreign = (set(before.processes or ()) | set(after.processes or ())) - {os.getpid(), *quiet}
    if foreign:
        found.append(f"other processes were on the GPU: {', '.join(map(str, sorted(foreign)))}")
    if reasons := dict.fromkeys([*(before.reasons or ()), *(after.reasons or ())]):
        found.append(f"the GPU was slowed down: {', '.join(reasons)}")
    if before.held_back is not None and after.held_back is not None:
        waited = after.held_back - before.held_back
        if waited > HELD_BACK:
            found.append(f"power or heat held the GPU back for {waited / 1e9:.3f} s")
    return found


def joules(uuid: str) -> float | None:
    """What the GPU took since its driver was loaded; None where it has no counter."""
    handle = _handle(uuid)
    millijoules = None if handle is None else _said(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)
    return None if millijoules is None else millijoules / 1000


def used_bytes(uuid: str | None) -> tuple[int | None, int | None]:
    """Memory in use on the GPU, by this process and by everyone; None for what NVML does not say."""
    handle = _handle(uuid) if uuid else None
    if handle is None:
        return None, None
    listed = _said(pynvml.nvmlDeviceGetComputeRunningProcesses, handle) or ()
    own = next((process.usedGpuMemory for process in listed if process.pid == os.getpid()), None)
    memory = _said(pynvml.nvmlDeviceGetMemoryInfo, handle)
    return own, None if memory is None else int(memory.used)


def _handle(uuid: str) -> Any:
    try:
        pynvml.nvmlInit()
        return pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")
    except pynvml.NVMLError:
        return None


def _said(ask: Callable[..., Any], *given: Any) -> Any:
    try:
        return ask(*given)
    except pynvml.NVMLError:
        return None


def _reasons(bits: int | None) -> tuple[str, ...] | None:
    return None if bits is None else tuple(name for bit, name in REASONS.items() if bits & bit)


def _held_back(handle: Any) -> int | None:
    policies = (pynvml.NVML_PERF_POLICY_POWER, pynvml.NVML_PERF_POLICY_THERMAL)
    times = [_said(pynvml.nvmlDeviceGetViolationStatus, handle, policy) for policy in policies]
    said = [int(time.violationTime) for time in times if time is not None]
    return sum(said) if said else None


def _processes(handle: Any) -> tuple[int, ...] | None:
    found = _said(pynvml.nvmlDeviceGetComputeRunningProcesses, handle)
    pids = tuple(sorted(process.pid for process in found or ()))
    return pids if os.getpid() in pids else None

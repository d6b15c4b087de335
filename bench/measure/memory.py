"""Peak memory of a phase: the kernel's counter of the resident set, torch's counters on a GPU, and what NVML says.

What is not given is None, and never 0. Importing this imports neither torch nor NVML.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
FORGET = Path("/proc/self/clear_refs")
PEAK_ALONE = "5"
"""What makes Linux forget the peak of the resident set and nothing else; see proc(5), `clear_refs`."""

_stuck = False
"""Whether the system could not forget a peak, so that what it tells is of no one phase."""


def reset(device: str) -> None:
    """Begin a phase: forget the peaks so far.

    Args:
        device: `cpu`, or `cuda` for the GPU that this process computes on.
    """
    global _stuck
    try:
        FORGET.write_text(PEAK_ALONE)
    except OSError:
        _stuck = True
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()


def peaks(device: str) -> dict[str, Any]:
    """Peak bytes since the last `reset`, or of the whole process where there was none.

    Returns:
        resident: this process's resident set; None where the system cannot forget an earlier peak.
        allocated, reserved: by torch on the GPU; None on a CPU.
        nvml_process, nvml_device: in use on the GPU now, which torch's reserve keeps near the peak: by this process
            (`unknown` where NVML does not say, as in containers) and by everyone; None on a CPU.
    """
    resident = None if _stuck else _kilobytes("VmHWM")
    if device != "cuda":
        return {"resident": resident, "allocated": None, "reserved": None, "nvml_process": None, "nvml_device": None}
    import torch

    from bench.measure import devices, gpu

    process, everyone = gpu.used_bytes(devices.uuid(device))
    return {
        "resident": resident,
        "allocated": torch.cuda.max_memory_allocated(),
        "reserved": torch.cuda.max_memory_reserved(),
        "nvml_process": "unknown" if process is None else process,
        "nvml_device": everyone,
    }


def resident() -> int | None:
    """Bytes of this process's resident set now; None where the system does not say."""
    return _kilobytes("VmRSS")


def _kilobytes(name: str) -> int | None:
    """A line of the kernel's status of this process, in bytes."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE) if STATUS.is_file() else None
    return 1024 * int(found[1]) if found else None

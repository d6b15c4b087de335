"""The machine and the software that a cell ran on. Nothing here imports torch."""

from __future__ import annotations

import hashlib
import os
import platform as host
import re
import resource
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "safetensors", "mlflow", "pandas", "nvidia-ml-py")


def gpu_name(index: int = 0) -> str | None:
    """Name of an NVIDIA GPU from NVML, or None where there is no driver or no such GPU."""
    import pynvml

    try:
        pynvml.nvmlInit()
        return str(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(index)))
    except pynvml.NVMLError:
        return None


def free_gpu_bytes() -> list[int]:
    """Free memory of each NVIDIA GPU from NVML; one entry of 0 where NVML cannot say."""
    import pynvml

    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return [int(pynvml.nvmlDeviceGetMemoryInfo(handle).free) for handle in handles]
    except pynvml.NVMLError:
        return [0]


def device(wanted: str) -> str:
    """`cpu` or `cuda`: what was wanted, or for `auto` a GPU where there is one."""
    return ("cuda" if gpu_name() else "cpu") if wanted == "auto" else wanted


def platform(device_kind: str, threads: int) -> str:
    """What deterministic results may depend on, e.g. `cpu/torch-2.15.0/2-threads`."""
    torch = version("torch").split("+")[0]
    if device_kind == "cpu":
        return f"cpu/torch-{torch}/{threads}-threads"
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', gpu_name() or device_kind)}/torch-{torch}"


def environment(device_kind: str, threads: int) -> dict[str, Any]:
    """Plain facts for a record; the host's name only as a hash."""
    return {
        "python": sys.version.split()[0],
        "system": f"{host.system()} {host.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "device": gpu_name() if device_kind == "cuda" else "cpu",
        "threads": threads,
        "host": host_key(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def host_key() -> str:
    """This host's name, only as a hash."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12]


def peak_resident_bytes() -> int:
    """This process's peak resident set, from the kernel's own counter."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Model name and the vector extensions that matter for arithmetic speed."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""
    name = re.search(r"model name\s*:\s*(.*)", text)
    known = ("avx2", "avx512f", "avx512_bf16", "avx_vnni", "avx512_vnni", "amx_bf16", "amx_int8")
    flags = [flag for flag in known if f" {flag}" in text]
    return " ".join([name.group(1) if name else host.processor() or host.machine(), *flags])

"""What else went on while something was measured: facts, and a sentence for each that was above its threshold."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.measure import gpu

SHARE, CORES = 0.05, 0.5
"""Of what others may use of the machine's processors: a share of all of them, or as many cores if those are fewer."""

TICKS = 0.05
"""Seconds of others' processor time that the kernel's counters cannot tell from none."""

STOLEN = 0.01
"""Share of all processors' time that a hypervisor may take away."""

SYSTEM = Path("/sys/devices/system/cpu")
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Moment:
    """Counters of a machine. None wherever the system does not say.

    Attributes:
        time: seconds, of any origin. busy, stolen: seconds of all processors, in use or taken by a hypervisor.
        own: seconds of this process. throttled: times that processors were slowed down for heat.
        held_back: seconds that this container's CPU quota made it wait. mhz: current clock, mean of all processors.
    """

    time: float
    busy: float
    stolen: float
    own: float
    throttled: int | None
    held_back: float | None
    mhz: float | None

    @classmethod
    def now(cls) -> Moment:
        times = psutil.cpu_times()
        busy = sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))
        clock = psutil.cpu_freq()
        return cls(
            time=time.perf_counter(),
            busy=busy,
            stolen=getattr(times, "steal", 0.0),
            own=time.process_time(),
            throttled=_throttled(),
            held_back=_held_back(),
            mhz=round(clock.current, 1) if clock else None,
        )


@dataclass
class Disturbance:
    """What was seen: plain `facts`, and `sentences`, none of them if nothing was above its threshold."""

    facts: dict[str, Any] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)


@contextlib.contextmanager
def watch(uuid: str | None = None, quiet: Collection[int] = ()) -> Iterator[Disturbance]:
    """Watch the machine while the block runs; what is yielded is filled when it ends.

    Args:
        uuid: of the GPU that is measured, which this process already computes on.
        quiet: processes that are on that GPU and known to do nothing, such as paused trainings.
    """
    seen = Disturbance()
    card = gpu.state(uuid) if uuid else None
    before = Moment.now()
    try:
        yield seen
    finally:
        after = Moment.now()
        seen.facts, seen.sentences = facts(before, after), judge(before, after)
        if uuid and card:
            card_after = gpu.state(uuid)
            seen.facts["gpu"] = {"before": _plain(card), "after": _plain(card_after)}
            seen.sentences += gpu.judge(card, card_after, quiet)


def facts(before: Moment, after: Moment) -> dict[str, Any]:
    """What happened between two moments, in seconds, cores and MHz; None for what the system does not say."""
    seconds = after.time - before.time
    return {
        "seconds": round(seconds, 3),
        "cores": os.cpu_count(),
        "others_cores": round(_others(before, after) / seconds, 3),
        "own_cores": round((after.own - before.own) / seconds, 3),
        "stolen_share": round(_stolen(before, after), 4),
        "throttled": _grown(before.throttled, after.throttled),
        "quota_seconds": _grown(before.held_back, after.held_back),
        "mhz": [before.mhz, after.mhz],
    }


def judge(before: Moment, after: Moment) -> list[str]:
    """A sentence for each thing that disturbed a measurement between two moments."""
    found, cores = [], os.cpu_count() or 1
    others, allowed = _others(before, after), min(SHARE * cores, CORES)
    used = others / (after.time - before.time)
    if used > allowed and others > TICKS:
        found.append(f"other processes used {used:.2f} of {cores} cores (more than {allowed:.2f})")
    if (stolen := _stolen(before, after)) > STOLEN:
        found.append(f"the hypervisor took {stolen:.1%} of the processors' time (more than {STOLEN:.0%})")
    if times := _grown(before.throttled, after.throttled):
        found.append(f"processors were slowed down for heat {times} times")
    if waited := _grown(before.held_back, after.held_back):
        found.append(f"the container's CPU quota made it wait for {waited:.3f} s")
    return found


def _others(before: Moment, after: Moment) -> float:
    """Seconds of processor time that other processes used."""
    return max(0.0, (after.busy - before.busy) - (after.own - before.own))


def _stolen(before: Moment, after: Moment) -> float:
    """Share of all processors' time."""
    return (after.stolen - before.stolen) / ((after.time - before.time) * (os.cpu_count() or 1))


def _grown(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _throttled() -> int | None:
    counts = [_number(path) for path in SYSTEM.glob("cpu[0-9]*/thermal_throttle/*_throttle_count")]
    said = [count for count in counts if count is not None]
    return sum(said) if said else None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _held_back() -> float | None:
    """From the control group's `cpu.stat` (version 2)."""
    try:
        group = re.search(r"^0::/(.*)$", Path("/proc/self/cgroup").read_text(), re.MULTILINE)
        text = (CGROUPS / (group[1] if group else "") / "cpu.stat").read_text()
    except OSError:
        return None
    waited = re.search(r"^throttled_usec (\d+)$", text, re.MULTILINE)
    return int(waited[1]) / 1e6 if waited else None


def _plain(card: gpu.GpuState) -> dict[str, Any]:
    """A GPU's state for a record; processes are `unknown` where NVML lists none of ours, as in containers."""
    return asdict(card) | {"processes": "unknown" if card.processes is None else len(card.processes)}

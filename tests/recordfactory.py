"""Valid records for tests: sealed, complete, and different only where a test says so."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from bench.records import Record, seal
from bench.spec import Cell, identity

FINGERPRINT = "f" * 64


def make_record(*, epochs: int = 2, **overrides: Any) -> Record:
    """A record of a finished cell; one that is not `ok` has no result unless it is given.

    Args:
        epochs: length of the curves.
        overrides: fields of `Record`. Those that hold a mapping are merged, key by key and level by level, into the
            defaults: `make_record(spec={"seed": 3}, result={"top1": {"last": 0.9}})`.
    """
    status = overrides.get("status", "ok")
    spec = merged(default_spec(), overrides.pop("spec", {}))
    method = merged(
        {"version": f"{spec['method']}-1", "title": spec["method"].upper(), "code": "c" * 64},
        overrides.pop("method", {}),
    )
    result = merged(default_result(epochs) if status == "ok" else {}, overrides.pop("result", {}))
    plain = {
        "id": identity(Cell.of(spec), method["version"], FINGERPRINT),
        "platform": "cpu/torch-2.15.0/2-threads",
        "provenance": "measured",
        "status": status,
        "reason": None if status == "ok" else f"made {status} by a test",
        "suite": spec["dataset"],
        "data": merged({"fingerprint": FINGERPRINT, "images": 64, "stand_in": False}, overrides.pop("data", {})),
        "run": merged(default_run(), overrides.pop("run", {})),
    }
    return Record(spec=spec, method=method, result=seal(result) if result else {}, **{**plain, **overrides})


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, level by level."""
    both = dict(base)
    for key, value in changes.items():
        old = both.get(key)
        both[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return both


def default_spec() -> dict[str, Any]:
    """The plain form of one cell."""
    return {
        "dataset": "cifar10",
        "model": "resnet20",
        "method": "gdfq",
        "options": {"temperature": 20.0},
        "bits": {"w": 4, "a": 4},
        "schedule": "quick",
        "precision": "fp32",
        "seed": 0,
        "init": "a" * 64,
        "tutor": "b" * 64,
    }


def default_result(epochs: int) -> dict[str, Any]:
    """A result with curves of so many epochs, of which 56 of 64 test images are correct at the end."""
    curve = [
        {
            "epoch": epoch,
            "phase": "train",
            "top1": 0.5 + 0.375 * (epoch + 1) / epochs,
            "top5": 0.9,
            "losses": {"draw/cross_entropy": 1 / (epoch + 1), "learn/total": 2 / (epoch + 1)},
            "gradient_norms": {"features.init_block.conv": 3.0 / (epoch + 1), "output": 1.5 / (epoch + 1)},
        }
        for epoch in range(epochs)
    ]
    return {
        "top1": {"last": 0.875, "best": 0.875, "best_epoch": max(epochs - 1, 0), "untrained": 0.25, "init": 0.92},
        "top5": {"last": 0.99, "best": 0.99, "init": 0.998},
        "epochs": curve,
        "correct": base64.b64encode(bytes([255] * 7 + [0])).decode(),
        "per_class": [7] * 4 + [5] * 4 + [4] * 2,
        "class_images": [7] * 4 + [6] * 6,
        "agreement": 0.90625,
        "signal_to_noise": {
            "weights": {"features.init_block.conv": 21.5, "output": 23.25},
            "activations": {"features.init_block.activ": 18.75},
        },
        "weights": "d" * 64,
        "census": {"groups": 3, "most_codes": {"weights": 16, "activations": 16}},
        "unquantized": ["input of output"],
        "ranges": {"features.init_block.activ": [0.0, 4.1]},
        "steps": 40,
    }


def default_run() -> dict[str, Any]:
    """What another run of the cell may do differently."""
    return {
        "started": "2026-11-21T02:00:00Z",
        "ended": "2026-11-21T02:30:00Z",
        "sweep": "2026-11-21T01:59:00Z",
        "seconds": {"draw": 1000.0, "learn": 500.0, "evaluate": 60.0, "other": 3.0},
        "shared": 3,
        "cpu_seconds": {"draw": 1990.0, "learn": 990.0, "evaluate": 110.0, "other": 4.0},
        "step_seconds": {"mean": 12.5, "median": 12.0},
        "steps": 40,
        "images": 640,
        "energy_joules": None,
        "resumed": 0,
        "peak_bytes": {"rss": 1_500_000_000, "train": peaks(1_400_000_000), "evaluate": peaks(1_500_000_000)},
        "images_file": None,
        "command": "python -m bench run suites/cifar10.toml",
        "environment": {"python": "3.11.7", "torch": "2.15.0", "device": "cpu", "threads": 2},
    }


def peaks(resident: int) -> dict[str, Any]:
    """Peak bytes of a phase on a machine without a GPU."""
    return {"resident": resident, "allocated": None, "reserved": None, "nvml_process": None, "nvml_device": None}

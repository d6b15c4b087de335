"""Records made up for tests of reports: whole, sealed, and under the id that their cell gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import records
from bench.records import Record
from bench.spec import Bits, Cell, identity

INIT = "1f" * 32
CPU = "cpu/torch-2.15.0/2-threads"
CELL = Cell("cifar10", "resnet20", "gdfq", Bits(4, 4), "quick", 0, "bf16", {"temperature": 20.0}, INIT, INIT)
DATA = {"fingerprint": "d0" * 32, "images": 10000, "stand_in": False}
METHOD = {"version": "gdfq-1", "title": "GDFQ", "code": "c0" * 32, "defaults": {"temperature": 20.0}}


def top1(last: float = 0.88, best: float = 0.885, untrained: float = 0.837, init: float = 0.916) -> dict[str, Any]:
    """Top-1 shares of a result."""
    return {"last": last, "best": best, "best_epoch": 3, "untrained": untrained, "init": init}


def finished(**shares: float) -> dict[str, Any]:
    """The result of a finished cell with these top-1 shares."""
    return {"top1": top1(**shares), "top5": {"last": 0.99, "best": 0.991, "init": 0.998}}


def curved(*curve: float, weights: str = "ab" * 32) -> dict[str, Any]:
    """The result of a finished cell with this top-1 after each epoch of ten steps."""
    epochs = [
        {"epoch": e, "phase": "train", "top1": share, "top5": 0.99, "losses": {}} for e, share in enumerate(curve)
    ]
    shares = finished(last=curve[-1], best=max(curve))
    return {**shares, "epochs": epochs, "steps": 10 * len(curve), "weights": weights}


def record(
    cell: Cell = CELL,
    result: dict[str, Any] | None = None,
    method: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    **changes: Any,
) -> Record:
    """An intact record of a finished cell; `method` and `data` add to the usual ones, `changes` set other fields."""
    method = {**METHOD, "version": f"{cell.method}-1", **(method or {})}
    data = {**DATA, **(data or {})}
    body = finished() if result is None else result
    run = {"seconds": {"draw": 1000.0, "learn": 500.0, "evaluate": 60.0, "other": 3.0}, "shared": 1}
    made = Record(
        id=identity(cell, method["version"], data["fingerprint"]), platform=CPU, provenance="measured", status="ok",
        reason=None, suite="test", spec=cell.plain(), method=method, data=data, result=records.seal(body), run=run,
    )  # fmt: skip
    return replace(made, **changes)


def seeds(*lasts: float, cell: Cell = CELL, **changes: Any) -> list[Record]:
    """Records of seeds 0, 1, ... that ended at these top-1 shares."""
    return [record(cell.but(seed=s), finished(last=last, best=last + 0.01), **changes) for s, last in enumerate(lasts)]


def failed(cell: Cell = CELL, status: str = "failed", reason: str = "out of luck", **changes: Any) -> Record:
    """The record of a cell without a result."""
    return record(cell, status=status, reason=reason, result={}, **changes)


def store(results: Path, made: list[Record]) -> list[Path]:
    """Write records below a results folder; returns their paths."""
    return [records.write(results, one) for one in made]

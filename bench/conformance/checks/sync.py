"""Host synchronisation: `learn` never waits for a value from the device. On a CPU, every tensor counts as there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bench.conformance import places
from bench.conformance.report import Problem
from bench.conformance.run import stirred
from bench.conformance.trial import Trial

_VALUES = "item tolist numpy cpu equal allclose is_nonzero"
_SIZES = "nonzero argwhere masked_select unique unique_consecutive bincount"
_PYTHON = "__bool__ __float__ __int__ __index__ __array__ __contains__ __format__ __repr__"
READS = frozenset(f"{_VALUES} {_SIZES} {_PYTHON}".split())
"""Functions that need a value, or a size that depends on values, on the host."""

INSTEAD = "keep it on the device: return losses as tensors, choose with torch.where, print nothing"


def check(trial: Trial) -> list[Problem]:
    """On any device, what reads values from Python; on CUDA, everything that torch itself counts as synchronising."""
    with stirred(1):
        run, reads = trial.start(), Reads(trial.device)
        for step in run.setup.schedule.walk():
            try:
                run.take(step, _learning(reads))
            except RuntimeError as error:
                if "synchroniz" not in str(error):
                    raise
                reads.found.setdefault(places.of_error(error), "a synchronising CUDA operation")
                break
    return [Problem(where, f"learn waits for the device ({what})", INSTEAD) for where, what in reads.found.items()]


class Reads(TorchFunctionMode):
    """Within it, notes the place of every call that reads values of the device's tensors.

    What torch's optimisers read does not count: their step counters are on the host.

    Attributes:
        found: function by file and line.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device
        self.found: dict[str, str] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if self._reads(getattr(func, "__name__", ""), args) and not places.in_optimiser():
            self.found.setdefault(places.of_caller(), f"Tensor.{func.__name__}")
        return func(*args, **(kwargs or {}))

    def _reads(self, name: str, args: tuple[Any, ...]) -> bool:
        if not (args and isinstance(args[0], Tensor) and args[0].device.type == self.device):
            return False
        if name == "__getitem__":
            return any(isinstance(part, Tensor) and part.dtype == torch.bool for part in _parts(args[1]))
        return name in READS or (name == "where" and len(args) == 1) or (name == "to" and _to_host(args))


def _to_host(args: tuple[Any, ...]) -> bool:
    return any(isinstance(value, str) and value == "cpu" for value in args[1:])


def _parts(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


@contextmanager
def _learning(reads: Reads) -> Iterator[None]:
    with reads, _strict(reads.device):
        yield


@contextmanager
def _strict(device: str) -> Iterator[None]:
    """On CUDA, within it torch raises an error where the host would wait."""
    if device != "cuda":
        yield
        return
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)

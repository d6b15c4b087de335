"""The convolutions and matrix products of some work, to be run again without all that is around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from beside import Work
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ATEN = torch.ops.aten
COUNTED = {
    ATEN.convolution.default,
    ATEN.convolution_backward.default,
    ATEN.mm.default,
    ATEN.addmm.default,
    ATEN.bmm.default,
}

Call = tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]


class Recorder(TorchDispatchMode):
    """Within it, keeps every call of the counted operations, forward and backward, with copies of its tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func in COUNTED:
            self.calls.append((func, tuple(_copy(arg) for arg in args), given))
        return func(*args, **given)


def bare(work: Work) -> Work:
    """The counted operations of `work`, which is done once, at the same shapes, precision and memory formats."""
    with Recorder() as recorder:
        work()
    calls = recorder.calls

    @torch.no_grad()
    def again() -> None:
        for func, args, given in calls:
            func(*args, **given)

    return again


def _copy(argument: Any) -> Any:
    return argument.detach().clone() if isinstance(argument, Tensor) else argument

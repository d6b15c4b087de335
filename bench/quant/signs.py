"""Which layer inputs can be negative: found by following rectified tensors through one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

PROBE = (1, 3, 32, 32)

RECTIFIERS = {functional.relu, functional.relu6, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}
KEEPERS = {
    functional.avg_pool2d,
    functional.adaptive_avg_pool2d,
    functional.dropout,
    functional.max_pool2d,
    torch.flatten,
    Tensor.flatten,
    Tensor.mean,
    Tensor.reshape,
    Tensor.view,
}
"""Functions that make no negative value of values that are not."""


class _Rectified(TorchFunctionMode):
    """Within it, keeps the tensors that cannot have negative values."""

    def __init__(self) -> None:
        super().__init__()
        self.tensors: dict[int, Tensor] = {}  # kept alive, so that an id stays that of one tensor

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        rectified = func in RECTIFIERS or _clips(func, args, given) or (func in KEEPERS and args[0] in self)
        output = func(*args, **given)
        if rectified:
            self.tensors[id(output)] = output
        else:
            self.tensors.pop(id(output), None)  # a rectified tensor that was changed in place
        return output

    def __contains__(self, tensor: Tensor) -> bool:
        return id(tensor) in self.tensors


def _clips(func: Callable[..., Any], args: tuple[Any, ...], given: Mapping[str, Any]) -> bool:
    """Whether a call clips at no less than zero, as `nn.ReLU6` does."""
    if func is not functional.hardtanh:
        return False
    least = args[1] if len(args) > 1 else given.get("min_val", -1.0)
    return bool(least >= 0)


@torch.no_grad()
def signed_inputs(model: nn.Module) -> dict[str, bool]:
    """Every convolution and linear layer that a network uses, in order of first use, and whether its input may be < 0.

    An input is unsigned only where it surely is: after a rectifier, and pooled or reshaped since at most.

    Args:
        model: takes images (B, 3, 32, 32); in eval mode.
    """
    signs: dict[str, bool] = {}
    rectified = _Rectified()

    def note(name: str, given: Tensor) -> None:
        signs[name] = signs.get(name, False) or given not in rectified

    layers = [(n, m) for n, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [m.register_forward_pre_hook(lambda _, given, n=n: note(n, given[0])) for n, m in layers]
    try:
        with rectified:
            model(next(model.parameters()).new_zeros(PROBE))
    finally:
        for hook in hooks:
            hook.remove()
    return signs

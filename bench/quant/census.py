"""The census: what a model really computes with, counted rather than believed.

Counts distinct values of every quantization group of weights and of every activation tensor, as they enter the
convolutions and matrix products of a forward pass, and finds the inputs and parameters that are not quantized.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear
from torch.overrides import TorchFunctionMode

from bench.quant.layers import QuantizedActivation, QuantizedWeight
from bench.quant.learned import LearnedWeight


@dataclass
class Census:
    """Outcome of one census.

    Attributes:
        groups: number of quantization groups looked at (a weight's channels or, where all share one step, the weight;
            an activation tensor each).
        weight_levels, activation_levels: the most distinct values found in one group.
        violations: groups with more than 2^k values, or layers left unquantized that should not be.
        unquantized: every layer input and parameter that is not quantized.
    """

    groups: int = 0
    weight_levels: int = 0
    activation_levels: int = 0
    violations: list[str] = field(default_factory=list)
    unquantized: list[str] = field(default_factory=list)


NO_LAYER: tuple[str, nn.Module] = ("a product outside all layers", nn.Identity())


class _Products(TorchFunctionMode):
    """Within it, tells `seen` the input and the weight of every convolution and matrix product, as really used."""

    def __init__(self, seen: Callable[[Tensor, Tensor], None]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func in (conv2d, linear):
            self.seen(*(args[at] if at < len(args) else given[key] for at, key in enumerate(("input", "weight"))))
        return func(*args, **given)


class _Count:
    """One census under way."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.census = Census()
        self.layer = NO_LAYER
        self.unseen = {name for name, module in model.named_modules() if isinstance(module, QuantizedWeight)}
        self.quantized: set[int] = set()
        self.kept: list[Tensor] = []  # keeps outputs alive, so that an id stays that of one tensor

    def on(self, images: Tensor) -> Census:
        hooks = []
        for name, module in self.model.named_modules():
            if isinstance(module, QuantizedActivation):
                hooks.append(module.register_forward_hook(lambda m, _, out, n=name: self._activation(n, m.bits, out)))
            elif isinstance(module, (nn.Conv2d, nn.Linear)):
                hooks.append(module.register_forward_pre_hook(lambda m, _, n=name: self._enter(n, m)))
                hooks.append(module.register_forward_hook(lambda *_: self._leave()))
        try:
            with torch.no_grad(), _Products(self._product):
                self.model(images)
        finally:
            for hook in hooks:
                hook.remove()
        self.census.violations += [f"{name}: weight was not used" for name in sorted(self.unseen)]
        self.census.unquantized += _plain_parameters(self.model)
        return self.census

    def _enter(self, name: str, layer: nn.Module) -> None:
        self.layer = (name, layer)

    def _leave(self) -> None:
        self.layer = NO_LAYER

    def _product(self, given: Tensor, weight: Tensor) -> None:
        self._input(given)
        self._weight(weight)

    def _input(self, given: Tensor) -> None:
        name, layer = self.layer
        if isinstance(layer, LearnedWeight):
            self._levels(name, "input", layer.input.bits, given)
        elif id(given) not in self.quantized:
            self.census.unquantized.append(f"input of {name}")

    def _weight(self, weight: Tensor) -> None:
        name, layer = self.layer
        self.unseen.discard(name)
        if not isinstance(layer, QuantizedWeight):
            self.census.violations.append(f"{name}: weight is not quantized")
            self.census.unquantized.append(f"weight of {name}")
            return
        what, groups = ("the weight", [weight]) if isinstance(layer, LearnedWeight) else ("a channel", list(weight))
        for group in groups:
            found = len(torch.unique(group))
            self.census.groups += 1
            self.census.weight_levels = max(self.census.weight_levels, found)
            if found > 2**layer.bits:
                self.census.violations.append(f"{name}: {what} has {found} values, more than 2^{layer.bits}")

    def _activation(self, name: str, bits: int, output: Tensor) -> None:
        self._levels(name, "output", bits, output)
        self.quantized.add(id(output))
        self.kept.append(output)

    def _levels(self, name: str, what: str, bits: int, activation: Tensor) -> None:
        found = len(torch.unique(activation))
        self.census.groups += 1
        self.census.activation_levels = max(self.census.activation_levels, found)
        if found > 2**bits:
            self.census.violations.append(f"{name}: {what} has {found} values, more than 2^{bits}")


def take(model: nn.Module, images: Tensor) -> Census:
    """Count on one forward pass of normalised `images` (B, 3, H, W)."""
    return _Count(model).on(images)


def _plain_parameters(model: nn.Module) -> list[str]:
    """Biases and batch norms, which this quantizer class leaves in full precision."""
    found = []
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            found.append(f"batch norm {name}")
        elif getattr(module, "bias", None) is not None:
            found.append(f"bias of {name}")
    return found

"""Reading feature maps out of a network while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import CellDeclined
from bench.models import build


class Taps:
    """Forward hooks that keep what given modules returned in the latest forward, in the order given.

    Maps keep their graph and the dtype they were computed in. A forward before `take()` replaces the one before it.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.kept: list[Tensor | None] = [None] * len(modules)
        for place, module in enumerate(modules):
            module.register_forward_hook(self._keeper(place))

    def _keeper(self, place: int) -> Callable[..., None]:
        def keep(module: nn.Module, given: Any, output: Tensor) -> None:
            self.kept[place] = output

        return keep

    def take(self) -> tuple[Tensor, ...]:
        """The maps of the latest forward, which are then let go.

        Raises:
            RuntimeError: if a module has not run since the last `take()`.
        """
        found = tuple(output for output in self.kept if output is not None)
        if len(found) < len(self.kept):
            raise RuntimeError(f"{len(self.kept) - len(found)} of {len(self.kept)} tapped modules have not run")
        self.kept = [None] * len(self.kept)
        return found


def residual_bodies(model: nn.Module) -> list[nn.Module]:
    """The `body` of every residual unit, in order: its output is conv2's batch norm, before shortcut sum and ReLU.

    ResNet-20 has nine, whose maps are 3x (B, 16, 32, 32), 3x (B, 32, 16, 16) and 3x (B, 64, 8, 8): the taps of the
    published programs of HAST (Li et al., CVPR 2023) and AKT (ACM SAC 2025).

    Raises:
        CellDeclined: if the network has none.
    """
    found = [module for name, module in model.named_modules() if name.split(".")[-1] == "body"]
    if not found:
        kind = type(model).__name__
        raise CellDeclined(f"{kind} has no residual bodies, whose feature maps this method compares; use a ResNet")
    return found


@cache
def lacks_bodies(name: str) -> str | None:
    """Why the registered network `name` cannot be compared at its residual bodies, or None; nothing is computed."""
    try:
        with torch.device("meta"):
            residual_bodies(build(name, 2))
    except CellDeclined as error:
        return str(error)
    return None


def convolutions(model: nn.Module) -> list[nn.Module]:
    """Every convolution, in order; ResNet-20 has 21 (stem, 18, two shortcuts). Their outputs are before batch norm."""
    return [module for module in model.modules() if isinstance(module, nn.Conv2d)]

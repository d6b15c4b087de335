"""The seam between quantized models and everything that reads them: one plain description a tensor.

Census, packed weights, sizes and exports read this and know nothing else of quantizer types.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from bench.quant.layers import QuantizedActivation, QuantizedWeight, Quantizer
from bench.quant.learned import LearnedInput, bounds


@dataclass(frozen=True)
class QuantizedTensor:
    """One quantized tensor of a model.

    Attributes:
        name: of the module. kind: `weight` or `activation`. bits: its width.
        axis: dimension with a grid of its own per index, or None for one grid.
        scale: float (O,) or (). zero_point: int64 (O,) or (): the code that stands for zero, so that a value is
            scale * (code - zero_point). Far outside the codes where a channel lies far from zero for its span.
        codes: int32 of the weight's shape in [0, 2^bits - 1]; None for activations.
    """

    name: str
    kind: str
    bits: int
    axis: int | None
    scale: Tensor
    zero_point: Tensor
    codes: Tensor | None


def describe(model: nn.Module) -> list[QuantizedTensor]:
    """Every quantized tensor of a model in module order."""
    found = []
    for name, module in model.named_modules():
        if isinstance(module, QuantizedWeight):
            grid = module.grid()
            codes = grid.codes(module.weight.detach())
            axis = 0 if grid.step.ndim else None
            step, zero = _listed(grid.step), _listed(grid.zero)
            found.append(QuantizedTensor(name, "weight", module.bits, axis, step, -zero.long(), codes))
        elif isinstance(module, Quantizer):
            grid = module.grid()
            found.append(QuantizedTensor(name, "activation", module.bits, None, grid.step, -grid.zero.long(), None))
    return found


def _listed(parameter: Tensor) -> Tensor:
    """A grid's step or zero: (O, 1, ...) as (O,), () as it is."""
    return parameter.flatten() if parameter.ndim else parameter


def activation_ranges(model: nn.Module) -> dict[str, list[float]]:
    """The range [lo, hi] of each activation quantizer, by its name."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, QuantizedActivation):
            found[name] = [float(bound) for bound in module.range.bounds()]
        elif isinstance(module, LearnedInput):
            found[name] = [float(module.step.detach()) * code for code in bounds(module.bits, module.signed)]
    return found

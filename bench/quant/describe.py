"""The seam between quantized models and everything that reads them: one plain description a tensor.

Census, packed weights, sizes and exports read this and know nothing else of quantizer types.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from bench.quant.layers import QuantizedActivation, QuantizedWeight


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
            step, zero = grid.step.flatten(), grid.zero.flatten()
            found.append(QuantizedTensor(name, "weight", module.bits, 0, step, -zero.long(), codes))
        elif isinstance(module, QuantizedActivation):
            grid = module.grid()
            found.append(QuantizedTensor(name, "activation", module.bits, None, grid.step, -grid.zero.long(), None))
    return found

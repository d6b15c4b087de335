"""Cost without a machine: multiply-accumulates, bit-operations and bytes, counted from the model itself.

Bit-operations are the field's convention (Baskin et al., "UNIQ", 2018, section 4.2; van Baalen et al., "Bayesian
Bits", NeurIPS 2020, section 4): a layer's multiply-accumulates times the bits of its weight times the bits of its
input. Counted are convolutions and linear layers, of one image. Biases, batch norms, sums, pooling and rounding, which
are of another order, are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from bench.models.weights import COUNTER
from bench.quant.layers import QuantizedActivation, QuantizedWeight
from bench.quant.learned import LearnedInput, LearnedWeight
from bench.quant.pack import pack
from bench.quant.ranges import Range
from bench.spec import FULL_BITS

PIXEL_BITS = 8
"""Of an image's pixels: its normalisation can be folded into the first layer, which so needs no wider input."""

PURPOSES = {
    "codes": "weights",
    "weight": "weights",
    "bias": "biases",
    "scale": "scales",
    "zero_point": "scales",
    "step": "scales",
}
"""What a layer's tensor is for, by its last name."""


@dataclass(frozen=True)
class LayerCost:
    """One layer: multiply-accumulates of an image, and the widths of what is multiplied; 32 for floats."""

    name: str
    macs: int
    w_bits: int
    a_bits: int

    @property
    def bit_operations(self) -> int:
        return self.macs * self.w_bits * self.a_bits


def cost(model: nn.Module, side: int = 32) -> dict[str, Any]:
    """Everything that is counted of a model, for a measurement.

    Args:
        model: on the CPU, in eval mode; quantized or not. side: of the images, in pixels.

    Returns:
        macs, bit_operations: in all, and for each of `layers` in the order of computing, with `w_bits` and `a_bits`.
        packed_bytes, fp32_bytes: of the model as it is stored and with all of it in float32. packed: the former by
        what it is for.
    """
    layers = count(model, side)
    packed = packed_bytes(model)
    return {
        "macs": sum(layer.macs for layer in layers),
        "bit_operations": sum(layer.bit_operations for layer in layers),
        "packed_bytes": sum(packed.values()),
        "fp32_bytes": fp32_bytes(model),
        "packed": packed,
        "layers": [asdict(layer) | {"bit_operations": layer.bit_operations} for layer in layers],
    }


def count(model: nn.Module, side: int) -> list[LayerCost]:
    """The cost of each layer on one image (1, 3, side, side)."""
    found: list[LayerCost] = []
    image = torch.zeros(1, 3, side, side)
    widths = {id(image): PIXEL_BITS}
    kept: list[Tensor] = [image]  # keeps outputs alive, so that an id stays that of one tensor

    def quantized(module: nn.Module, _: Any, output: Tensor) -> None:
        assert isinstance(module, QuantizedActivation)
        widths[id(output)] = module.bits
        kept.append(output)

    def computed(name: str, layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        macs = output.numel() * prod(layer.weight.shape[1:])
        found.append(LayerCost(name, macs, *_widths(layer, widths.get(id(given[0]), FULL_BITS))))

    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, QuantizedActivation):
            hooks.append(module.register_forward_hook(quantized))
        elif isinstance(module, nn.Conv2d | nn.Linear):
            hooks.append(module.register_forward_hook(lambda m, x, y, name=name: computed(name, m, x, y)))
    try:
        with torch.no_grad():
            model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def packed_bytes(model: nn.Module) -> dict[str, int]:
    """Bytes of a model as it is stored, by what they are for.

    Returns:
        weights: codes at k bits, or float32 where they are not quantized. scales: with zero points. biases.
        batch_norm: scales, shifts and statistics. ranges: of activations. other: what a network has besides.
    """
    found = dict.fromkeys(("weights", "scales", "biases", "batch_norm", "ranges", "other"), 0)
    modules = dict(model.named_modules())
    for name, tensor in _kept(pack(model)).items():
        found[_purpose(name, modules)] += tensor.nbytes
    return found


def fp32_bytes(model: nn.Module) -> int:
    """Bytes of the same network in float32, without what quantizers keep."""
    modules, state = dict(model.named_modules()), _kept(model.state_dict())
    own = [tensor for name, tensor in state.items() if _purpose(name, modules) not in ("ranges", "scales")]
    return sum(4 * tensor.numel() for tensor in own)


def _widths(layer: nn.Module, given: int) -> tuple[int, int]:
    """Bits of a layer's weight and of its input, whose width is given where the layer does not round it itself."""
    if isinstance(layer, LearnedWeight):
        return layer.bits, layer.input.bits
    return (layer.bits, given) if isinstance(layer, QuantizedWeight) else (FULL_BITS, FULL_BITS)


def _kept(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without counters, which no output depends on."""
    return {name: tensor for name, tensor in state.items() if name.rpartition(".")[2] != COUNTER}


def _purpose(name: str, modules: Mapping[str, nn.Module]) -> str:
    """What a stored tensor is for, by its last name and the module that it belongs to."""
    owner, _, last = name.rpartition(".")
    module = modules[owner]
    if isinstance(module, nn.BatchNorm2d):
        return "batch_norm"
    if isinstance(module, Range | LearnedInput):
        return "ranges"
    return PURPOSES.get(last, "other")

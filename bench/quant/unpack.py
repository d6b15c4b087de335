"""From packed weights back to a model: the quantizers are found out from the tensors and a record's ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor, nn

from bench.errors import ModelCorrupt
from bench.quant.convert import quantize
from bench.quant.describe import activation_ranges
from bench.quant.layers import QuantizedWeight
from bench.quant.pack import restore
from bench.quant.steps import learn_steps
from bench.spec import Bits

CODES = ".codes"
CLOSE = 1e-6
"""Relative difference that ranges may have where another device computed them."""

Ranges = Mapping[str, list[float]]


def unpack(network: Callable[[], nn.Module], packed: Mapping[str, Tensor], bits: Bits, ranges: Ranges) -> nn.Module:
    """The model that was packed, with its logits bit for bit; on the CPU, in eval mode.

    Args:
        network: builds the full-precision network that was quantized, of any weights.
        packed: what `pack` gave.
        ranges: the packed model's activation ranges as its record has them. They tell apart what equal tensors may
            mean (the rule of moving averages, the widths of learned inputs) and show that both are of one model.

    Raises:
        ModelCorrupt: if the tensors are not those of such a network under any quantizer of this project, or their
            ranges are not those of the record.
    """
    off: dict[float, nn.Module] = {}
    for skeleton in _skeletons(network, packed, bits):
        if _fits(skeleton, packed):
            model = restore(skeleton, packed)
            off.setdefault(_difference(activation_ranges(model), ranges), model)
    if not off:
        raise ModelCorrupt(f"no {bits} model of this network has these tensors; another network or quantizer made them")
    if min(off) > CLOSE:
        raise ModelCorrupt("the activation ranges are not those of the record; restore weights and record from git")
    return off[min(off)]


def _skeletons(network: Callable[[], nn.Module], packed: Mapping[str, Tensor], bits: Bits) -> Iterator[nn.Module]:
    """Quantized networks, still to be filled, that the tensors may belong to."""
    if any(name.endswith(".input.step") for name in packed):
        for ends in (None, 8):
            yield learn_steps(network(), bits, ends=ends)
    else:
        for rule in ("corrected", "published"):
            yield quantize(network(), bits, rule)


def _fits(skeleton: nn.Module, packed: Mapping[str, Tensor]) -> bool:
    """Whether the tensors have a skeleton's names, shapes and, packed, exactly its bits."""
    layers = {name: m for name, m in skeleton.named_modules() if isinstance(m, QuantizedWeight)}
    wanted = {k: tuple(v.shape) for k, v in skeleton.state_dict().items() if k.removesuffix(".weight") not in layers}
    for name, layer in layers.items():
        wanted[f"{name}{CODES}"] = (-(-layer.weight.numel() * layer.bits // 8),)
        wanted[f"{name}.scale"] = wanted[f"{name}.zero_point"] = _listed(layer)
    return wanted == {name: tuple(tensor.shape) for name, tensor in packed.items()}


def _listed(layer: QuantizedWeight) -> tuple[int, ...]:
    """Shape of a layer's scales as they are packed."""
    step = layer.grid().step
    return (step.numel(),) if step.ndim else ()


def _difference(found: Ranges, wanted: Ranges) -> float:
    """Largest relative difference of two models' ranges; infinite where they are not of the same quantizers."""
    if found.keys() != wanted.keys():
        return float("inf")
    pairs = [pair for name, given in found.items() for pair in zip(given, wanted[name], strict=True)]
    return max((abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0 for a, b in pairs), default=0.0)

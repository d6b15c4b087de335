"""Signal to quantization noise: how much of every quantized tensor its grid lets through, layer by layer."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.linalg import vector_norm

from bench.quant.describe import QuantizedTensor, describe
from bench.quant.layers import QuantizedActivation

Decibels = dict[str, float | None]
"""By name; None where a tensor is all zero, or comes through its quantizer unchanged."""


def signal_to_noise(model: nn.Module, images: Tensor) -> dict[str, Decibels]:
    """10 log10(sum of squares of the signal / of its change by the quantizer) of every quantized tensor, in decibels.

    Returns:
        weights: by layer; the signal is the latent weight that was trained, before it is put on its grid. What
            training has moved away from the full-precision model is no noise here.
        activations: by quantizer; the signal is what enters it in one forward pass of normalised `images`
            (B, 3, H, W), whose own inputs are quantized already.
    """
    described = describe(model)
    weights = {t.name: _of_weight(model, t) for t in described if t.kind == "weight"}
    found: dict[str, Tensor] = {}
    hooks = [hook for t in described if t.kind == "activation" for hook in _listen(model, t.name, found)]
    try:
        with torch.no_grad():
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    powers = weights | found
    return {
        "weights": {name: _decibels(powers[name]) for name in weights},
        "activations": {name: _decibels(powers[name]) for name in found},
    }


def _of_weight(model: nn.Module, tensor: QuantizedTensor) -> Tensor:
    assert tensor.codes is not None
    latent = model.get_parameter(f"{tensor.name}.weight").detach().double()
    shape = [-1 if axis == tensor.axis else 1 for axis in range(latent.ndim)]
    scale, zero = tensor.scale.view(shape), tensor.zero_point.view(shape)
    return _norms(latent, scale * (tensor.codes - zero).double())


def _listen(model: nn.Module, name: str, found: dict[str, Tensor]) -> tuple[Any, Any]:
    """Have a quantizer's norms put into `found` at its next forward; the hooks that do so."""

    def enter(module: nn.Module, given: tuple[Tensor]) -> None:
        before = given[0].clone()  # which the quantizer may overwrite
        found[name] = module.function(before) if isinstance(module, QuantizedActivation) else before

    def leave(module: nn.Module, given: tuple[Tensor], output: Tensor) -> None:
        found[name] = _norms(found[name], output)

    quantizer = model.get_submodule(name)
    return quantizer.register_forward_pre_hook(enter), quantizer.register_forward_hook(leave)


def _norms(signal: Tensor, quantized: Tensor) -> Tensor:
    """Norms of a signal and of its change, float64 (2,)."""
    return torch.stack([vector_norm(tensor, dtype=torch.float64) for tensor in (signal, signal - quantized)])


def _decibels(norms: Tensor) -> float | None:
    signal, noise = norms.tolist()
    return round(20 * math.log10(signal / noise), 4) if signal > 0 and noise > 0 else None

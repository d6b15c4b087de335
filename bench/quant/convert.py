"""Turning a full-precision network into a quantized student, and switching its quantizers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn

from bench.quant.layers import QuantizedActivation, QuantizedConv2d, QuantizedLinear, QuantizedWeight, is_quantizer
from bench.quant.ranges import RangeRule
from bench.spec import Bits

ACTIVATIONS = (nn.ReLU, nn.ReLU6)


def quantize(model: nn.Module, bits: Bits, rule: RangeRule) -> nn.Module:
    """Quantize every convolution's and linear layer's weight and every activation function's output, in place.

    No layer is exempt. Batch norm stays unfolded and in full precision; the input image, residual sums, the pooled
    features and biases are not quantized. The model is returned in eval mode: a student's batch norm keeps its
    full-precision statistics in training too (Xu et al., ECCV 2020, section 3.3).
    """
    _replace(model, bits, rule)
    return model.eval()


def _replace(module: nn.Module, bits: Bits, rule: RangeRule) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            QuantizedConv2d.of(child, bits.w)
        elif isinstance(child, nn.Linear):
            QuantizedLinear.of(child, bits.w)
        elif isinstance(child, ACTIVATIONS):
            setattr(module, name, QuantizedActivation(child, bits.a, rule))
        else:
            _replace(child, bits, rule)


@contextlib.contextmanager
def tracking(model: nn.Module) -> Iterator[None]:
    """Within it, activation quantizers take every forward's extremes into their ranges."""
    with _switched(model, "tracking", QuantizedActivation):
        yield


@contextlib.contextmanager
def quantizers_off(model: nn.Module) -> Iterator[None]:
    """Within it, the model computes in full precision, bit for bit as the network it was made from."""
    with _switched(model, "off", object):
        yield


@contextlib.contextmanager
def weights_held(model: nn.Module) -> Iterator[None]:
    """Within it, weights are taken as they are now and not quantized again at every forward; nothing may move them."""
    layers = [module for module in model.modules() if isinstance(module, QuantizedWeight)]
    for layer in layers:
        layer.held = layer.quantized_weight().detach()
    try:
        yield
    finally:
        for layer in layers:
            layer.held = None


@contextlib.contextmanager
def _switched(model: nn.Module, flag: str, kind: type) -> Iterator[None]:
    before = {m: getattr(m, flag) for m in model.modules() if is_quantizer(m) and isinstance(m, kind)}
    for module in before:
        setattr(module, flag, True)
    try:
        yield
    finally:
        for module, value in before.items():
            setattr(module, flag, value)

"""Turning a network into one with learned steps, and what the steps are to begin with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from bench.quant.convert import quantizers_off
from bench.quant.learned import SMALLEST_STEP, LearnedConv2d, LearnedInput, LearnedLinear, LearnedWeight, bounds
from bench.quant.signs import signed_inputs
from bench.spec import Bits

StepRule = Literal["auto", "max", "lsq"]
FEW_BITS = 3
"""Widths up to this one start by LSQ's rule where `auto` is asked for: steps from extremes would waste levels."""


class Magnitude:
    """Largest and mean absolute value of the tensors seen; nothing synchronises with the host."""

    def __init__(self) -> None:
        self.largest: Tensor | float = 0.0
        self.total: Tensor | float = 0.0
        self.count = 0

    def see(self, x: Tensor) -> None:
        """Take in one tensor."""
        sizes = x.detach().abs()
        self.largest = sizes.amax().clamp_min(self.largest)
        self.total = self.total + sizes.mean()
        self.count += 1

    def step(self, bits: int, signed: bool, rule: StepRule) -> Tensor:
        """First step, scalar (): max|x| / high (`max`) or 2 mean|x| / sqrt(high) (`lsq`; LSQ, section 2.1).

        `auto` is `lsq` up to 3 bits and `max` above.
        """
        high = bounds(bits, signed)[1]
        few = rule == "lsq" or (rule == "auto" and bits <= FEW_BITS)
        found = 2 * self.total / self.count / high**0.5 if few else self.largest / high
        return torch.as_tensor(found).clamp_min(SMALLEST_STEP)


def learn_steps(
    model: nn.Module, bits: Bits, *, ends: int | None = None, rule: StepRule = "auto", scaled: bool = True
) -> nn.Module:
    """Quantize the weight and the input of every convolution and linear layer that a network uses, in place.

    Each gets a learned step of its own; an input is signed unless it surely cannot be negative. Batch norm stays
    unfolded and, like residual sums and biases, in full precision. Steps of weights are set; those of inputs are 1
    until `set_input_steps`.

    Args:
        model: takes images (B, 3, 32, 32); returned in eval mode.
        ends: width of the first and the last layer, weights and inputs; None for that of all others.
        rule: of the first steps. scaled: whether steps' gradients are scaled, see `learned_step`.
    """
    signs = signed_inputs(model.eval())
    used = list(signs)
    for name, signed in signs.items():
        width = Bits(ends, ends) if ends and name in (used[0], used[-1]) else bits
        layer = model.get_submodule(name)
        assert isinstance(layer, (nn.Conv2d, nn.Linear))
        kind = LearnedConv2d if isinstance(layer, nn.Conv2d) else LearnedLinear
        _set(kind.learning(layer, width, signed=signed, scaled=scaled), rule)
    return model


@torch.no_grad()
def _set(layer: LearnedWeight, rule: StepRule) -> None:
    seen = Magnitude()
    seen.see(layer.weight)
    layer.step.copy_(seen.step(layer.bits, True, rule))


@torch.no_grad()
def set_input_steps(model: nn.Module, batches: Iterable[Tensor], rule: StepRule = "auto") -> None:
    """Set the steps of all inputs from what the network in full precision gives them for batches of images."""
    seen = {m: Magnitude() for m in model.modules() if isinstance(m, LearnedInput)}
    hooks = [m.register_forward_pre_hook(lambda m, given: seen[m].see(given[0])) for m in seen]
    try:
        with quantizers_off(model):
            for images in batches:
                model(images)
    finally:
        for hook in hooks:
            hook.remove()
    for quantizer, magnitude in seen.items():
        quantizer.step.copy_(magnitude.step(quantizer.bits, quantizer.signed, rule))


def weight_steps(model: nn.Module) -> list[nn.Parameter]:
    """Learned steps of weights, in module order."""
    return [m.step for m in model.modules() if isinstance(m, LearnedWeight)]


def input_steps(model: nn.Module) -> list[nn.Parameter]:
    """Learned steps of inputs, in module order."""
    return [m.step for m in model.modules() if isinstance(m, LearnedInput)]

"""Signal to quantization noise: against the theory of uniform quantizers, and against the model's own forward pass."""

from __future__ import annotations

import math
from collections import OrderedDict

import pytest
import torch
from tiny import changed, images, network, snapshot, student
from torch import Tensor, nn

from bench.quant.describe import describe
from bench.quant.layers import QuantizedActivation, QuantizedLinear
from bench.quant.learned import LearnedWeight
from bench.quant.signal import signal_to_noise
from bench.quant.steps import learn_steps, set_input_steps
from bench.spec import Bits


def decibels(signal: Tensor, quantized: Tensor) -> float:
    """The definition, in double precision."""
    signal, quantized = signal.double(), quantized.double()
    return 10 * math.log10(float(signal.square().sum() / (signal - quantized).square().sum()))


def layer(weight: Tensor, bits: int) -> nn.Module:
    """A model of one quantized linear layer without activations."""
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    linear.weight.data = weight
    return nn.Sequential(OrderedDict(only=QuantizedLinear.of(linear, bits)))


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_a_uniform_weight_has_the_noise_that_theory_gives_a_uniform_grid(bits: int) -> None:
    weight = 2 * torch.rand(4, 50_000, generator=torch.Generator().manual_seed(1)) - 1
    found = signal_to_noise(layer(weight, bits), torch.zeros(1, 50_000))
    assert found["activations"] == {}
    assert found["weights"]["only"] == pytest.approx(20 * math.log10(2**bits - 1), abs=0.05)


def test_weights_without_noise_or_signal_have_no_ratio() -> None:
    lossless = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    for weight in (lossless, torch.zeros(1, 4)):
        assert signal_to_noise(layer(weight, 2), torch.zeros(1, 4))["weights"] == {"only": None}


def test_every_quantized_tensor_of_a_student_has_its_own_ratio() -> None:
    model = student("W4A4")
    entered: dict[str, Tensor] = {}
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    for name, module in model.named_modules():
        if isinstance(module, QuantizedActivation):
            module.register_forward_pre_hook(lambda m, given, n=name: entered.update({n: given[0].relu()}))
            module.register_forward_hook(lambda m, given, out, n=name: seen.update({n: (entered[n], out)}))
    found = signal_to_noise(model, images())
    assert [[*found["weights"]], [*found["activations"]]] == [
        [t.name for t in describe(model) if t.kind == kind] for kind in ("weight", "activation")
    ]
    for name, (signal, quantized) in seen.items():
        assert found["activations"][name] == pytest.approx(decibels(signal, quantized), abs=1e-3)
    for name, ratio in found["weights"].items():
        module = model.get_submodule(name)
        assert ratio == pytest.approx(decibels(module.weight.detach(), module.quantized_weight().detach()), abs=1e-3)


def test_learned_quantizers_are_measured_at_the_inputs_of_their_layers() -> None:
    model = learn_steps(network(), Bits(4, 4))
    set_input_steps(model, iter([images()]), "max")
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    for name, module in model.named_modules():
        if isinstance(module, LearnedWeight):
            hear = lambda m, given, out, n=f"{name}.input": seen.update({n: (given[0], out)})  # noqa: E731
            module.input.register_forward_hook(hear)
    found = signal_to_noise(model, images())
    assert found["activations"].keys() == seen.keys()
    for name, (signal, quantized) in seen.items():
        assert found["activations"][name] == pytest.approx(decibels(signal, quantized.detach()), abs=1e-3)


def test_measuring_repeats_itself_and_leaves_the_model_as_it_was() -> None:
    model = student("W3A3")
    before = snapshot(model)
    first = signal_to_noise(model, images())
    assert signal_to_noise(model, images()) == first
    assert not changed(before, model)
    assert not any(module._forward_hooks for module in model.modules())

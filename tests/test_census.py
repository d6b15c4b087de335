"""The census: honest models pass, and what computes in more levels than it says is found out."""

from __future__ import annotations

import pytest
import torch
from tiny import images, network, snapshot, student
from torch import Tensor, nn
from torch.nn.functional import linear

from bench.quant.census import Census, take
from bench.quant.layers import QuantizedActivation, QuantizedConv2d, QuantizedLinear, QuantizedWeight
from bench.quant.learned import LearnedConv2d, LearnedLinear, LearnedWeight, learned_step
from bench.quant.steps import learn_steps, set_input_steps
from bench.spec import Bits


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_an_honest_student_has_no_more_levels_than_its_bits_allow(bits: int) -> None:
    found = take(student(f"W{bits}A{bits}"), images())
    assert found.violations == []
    assert 2 ** (bits - 1) < found.weight_levels <= 2**bits
    assert 2 ** (bits - 1) < found.activation_levels <= 2**bits


def test_every_channel_and_every_activation_is_a_group() -> None:
    model = student()
    channels = sum(len(m.weight) for m in model.modules() if isinstance(m, QuantizedWeight))
    assert take(model, images()).groups == channels + 19


def test_what_stays_in_full_precision_is_listed() -> None:
    model = student()
    norms = [f"batch norm {name}" for name, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    expected = ["input of features.init_block.conv", "input of output", *norms, "bias of output"]
    assert sorted(take(model, images()).unquantized) == sorted(expected)


def test_linear_bottlenecks_of_mobilenet_are_listed_as_unquantized_inputs() -> None:
    found = take(student("W4A4", "mobilenetv2_w025"), images())
    assert found.violations == []
    assert "input of features.stage2.unit1.conv1.conv" in found.unquantized
    assert "input of features.stage2.unit1.conv2.conv" not in found.unquantized


def test_a_weight_left_in_full_precision_is_a_violation() -> None:
    model = student()
    model.features.stage1.unit2.body.conv1.conv.__class__ = nn.Conv2d
    found = take(model, images())
    assert found.violations == ["features.stage1.unit2.body.conv1.conv: weight is not quantized"]
    assert "weight of features.stage1.unit2.body.conv1.conv" in found.unquantized


def test_an_activation_left_in_full_precision_is_listed() -> None:
    model = student()
    model.features.stage1.unit2.activ = nn.ReLU()
    assert "input of features.stage1.unit3.body.conv1.conv" in take(model, images()).unquantized


class FineActivation(QuantizedActivation):
    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class FineWeight(QuantizedConv2d):
    def quantized_weight(self) -> Tensor:
        return self.weight


class Pretender(QuantizedLinear):
    """Shows a quantized weight and computes with another."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


def of_kind(found: Census, name: str) -> list[str]:
    return [line for line in found.violations if line.startswith(f"{name}: ")]


def test_an_activation_with_too_many_levels_is_a_violation() -> None:
    model = student()
    model.features.init_block.activ.__class__ = FineActivation
    found = take(model, images())
    assert len(found.violations) == len(of_kind(found, "features.init_block.activ")) == 1
    assert found.activation_levels > 2**4


@pytest.mark.parametrize(("levels", "violations"), [(4, []), (5, ["0: output has 5 values, more than 2^2"])])
def test_a_single_activation_level_too_many_is_found(levels: int, violations: list[str]) -> None:
    activation = FineActivation(nn.ReLU(), 2, "corrected")
    assert take(nn.Sequential(activation), torch.arange(float(levels))).violations == violations


def test_a_weight_with_too_many_levels_is_a_violation() -> None:
    model = student()
    conv = model.features.init_block.conv
    conv.__class__ = FineWeight
    found = take(model, images())
    assert len(found.violations) == len(of_kind(found, "features.init_block.conv")) == len(conv.weight)
    assert found.weight_levels == conv.weight[0].numel()


def test_a_layer_that_computes_with_another_weight_than_it_shows_is_a_violation() -> None:
    model = student()
    model.output.__class__ = Pretender
    found = take(model, images())
    assert len(found.violations) == len(of_kind(found, "output")) == 10


class Smuggler(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return linear(super().forward(x), torch.eye(10))


def test_a_product_outside_all_layers_is_a_violation() -> None:
    model = student()
    found = take(Smuggler(model), images())
    assert found.violations == ["a product outside all layers: weight is not quantized"]


class Idle(QuantizedLinear):
    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.T


def test_a_layer_that_never_uses_its_quantized_weight_is_a_violation() -> None:
    model = student()
    model.output.__class__ = Idle
    assert take(model, images()).violations == ["output: weight was not used"]


def test_a_single_channel_with_one_level_too_many_is_found() -> None:
    layer = QuantizedLinear.of(nn.Linear(5, 2, bias=False), 2)
    layer.quantized_weight = lambda: torch.tensor([[0.0, 1, 2, 3, 4], [0, 1, 2, 3, 3]])
    found = take(nn.Sequential(layer), torch.zeros(1, 5))
    assert (found.groups, found.weight_levels, len(found.violations)) == (2, 5, 1)


def test_taking_a_census_changes_nothing() -> None:
    model = student()
    before, logits = snapshot(model), model(images())
    take(model, images(2, seed=3))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.equal(model(images()), logits)


def learned(bits: str = "W4A4", name: str = "resnet20", ends: int | None = None) -> nn.Module:
    """A network with learned steps, as they are to begin with."""
    model = learn_steps(network(name), Bits.parse(bits), ends=ends, rule="max")
    set_input_steps(model, [images()])
    return model


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("name", ["resnet20", "mobilenetv2_w025"])
def test_honest_learned_steps_leave_no_input_and_no_weight_unquantized(bits: int, name: str) -> None:
    model = learned(f"W{bits}A{bits}", name)
    found = take(model, images())
    assert found.violations == []
    assert 2 ** (bits - 1) < found.weight_levels <= 2**bits
    assert 2 ** (bits - 1) < found.activation_levels <= 2**bits
    norms = [f"batch norm {n}" for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert sorted(found.unquantized) == sorted(norms + (["bias of output"] if name == "resnet20" else []))


def test_a_layer_with_learned_steps_is_two_groups() -> None:
    assert take(learned(), images()).groups == 2 * 22


def test_each_layer_is_held_to_its_own_width() -> None:
    model = learned("W4A4", ends=8)
    found = take(model, images())
    assert found.violations == []
    assert min(found.weight_levels, found.activation_levels) > 2**4
    inner = model.features.stage1.unit2.body.conv1.conv
    inner.quantized_weight = lambda: learned_step(inner.weight, inner.step / 16, 8, signed=True, scaled=True)
    assert len(of_kind(take(model, images()), "features.stage1.unit2.body.conv1.conv")) == 1


class RawInput(LearnedConv2d):
    """Has an input quantizer and does not use what it gives."""

    def forward(self, x: Tensor) -> Tensor:
        self.input(x)
        return self._conv_forward(x, self.quantized_weight(), self.bias)


class RawWeight(LearnedConv2d):
    def forward(self, x: Tensor) -> Tensor:
        self.quantized_weight()
        return self._conv_forward(self.input(x), self.weight, self.bias)


@pytest.mark.parametrize(("kind", "what"), [(RawInput, "input"), (RawWeight, "the weight")])
def test_a_layer_that_computes_with_what_it_did_not_quantize_is_a_violation(kind: type, what: str) -> None:
    model = learned()
    model.features.stage1.unit2.body.conv1.conv.__class__ = kind
    (line,) = take(model, images()).violations
    assert line.startswith(f"features.stage1.unit2.body.conv1.conv: {what} has ")
    assert line.endswith("more than 2^4")


def test_a_learned_input_with_a_single_level_too_many_is_found() -> None:
    layer = LearnedLinear.learning(nn.Linear(5, 2, bias=False), Bits(2, 2), signed=False, scaled=True)
    layer.input.forward = lambda x: x
    model, values = nn.Sequential(layer), torch.arange(5.0).view(1, 5)
    assert take(model, values.clamp(max=3)).violations == []
    assert take(model, values).violations == ["0: input has 5 values, more than 2^2"]


def test_taking_a_census_of_learned_steps_changes_nothing() -> None:
    model = learned()
    before, logits = snapshot(model), model(images())
    take(model, images(2, seed=3))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.equal(model(images()), logits)
    assert all(isinstance(m, LearnedWeight) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear)))

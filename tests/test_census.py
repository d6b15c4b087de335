"""The census: honest models pass, and what computes in more levels than it says is found out."""

from __future__ import annotations

import pytest
import torch
from tiny import images, snapshot, student
from torch import Tensor, nn
from torch.nn.functional import linear

from bench.quant.census import Census, take
from bench.quant.layers import QuantizedActivation, QuantizedConv2d, QuantizedLinear, QuantizedWeight


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

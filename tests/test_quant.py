"""Grids, ranges and quantized layers against the published test vectors, and the conversion of whole networks."""

from __future__ import annotations

import pytest
import torch
from tiny import changed, images, network, snapshot, student
from torch import Tensor, nn

from bench.quant.convert import quantize, quantizers_off, tracking
from bench.quant.grid import Grid, channel_grid, fake_quantize, levels
from bench.quant.layers import QuantizedActivation, QuantizedConv2d, QuantizedLinear, QuantizedWeight
from bench.quant.ranges import Range, RangeRule
from bench.spec import Bits

WEIGHTS = [[-0.50, -0.20, 0.10, 0.30, 0.70], [-1, 0, 0.25, 0.5, 0.9], [0.20, 0.30, 0.45, 0.60, 1.10]]
QUANTIZED_WEIGHTS = {
    3: [
        [-0.514286, -0.171429, 0.171429, 0.342857, 0.685714],
        [-1.085714, 0, 0.271429, 0.542857, 0.814286],
        [0.257143, 0.257143, 0.385714, 0.642857, 1.157143],
    ],
    4: [
        [-0.48, -0.16, 0.08, 0.32, 0.72],
        [-1.013333, 0, 0.253333, 0.506667, 0.886667],
        [0.18, 0.30, 0.42, 0.60, 1.08],
    ],
    5: [
        [-0.503226, -0.193548, 0.116129, 0.309677, 0.696774],
        [-0.980645, 0, 0.245161, 0.490323, 0.919355],
        [0.203226, 0.290323, 0.435484, 0.609677, 1.103226],
    ],
}
ACTIVATIONS = [-0.1, 0.2, 0.9, 1.7]
QUANTIZED_ACTIVATIONS = {3: [0, 0.2, 0.8, 1.4], 4: [0, 0.186667, 0.933333, 1.4], 5: [0, 0.180645, 0.903226, 1.4]}


def unit_grid(bits: int) -> Grid:
    return Grid.of(torch.tensor(0.0), torch.tensor(1.4), bits)


def observed(rule: RangeRule, maxima: list[float]) -> list[float]:
    """Upper bound after each observation of a tensor from 0 to a maximum."""
    tracked, bounds = Range(rule), []
    for maximum in maxima:
        tracked.observe(torch.tensor([0.0, maximum / 2, maximum]))
        bounds.append(float(tracked.bounds()[1]))
    return bounds


@pytest.mark.parametrize("bits", QUANTIZED_WEIGHTS)
def test_weights_are_quantized_to_the_published_vectors(bits: int) -> None:
    weight = torch.tensor(WEIGHTS)
    found = fake_quantize(weight, channel_grid(weight, bits))
    torch.testing.assert_close(found, torch.tensor(QUANTIZED_WEIGHTS[bits]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("bits", QUANTIZED_ACTIVATIONS)
def test_activations_are_quantized_to_the_published_vectors(bits: int) -> None:
    found = fake_quantize(torch.tensor(ACTIVATIONS), unit_grid(bits))
    torch.testing.assert_close(found, torch.tensor(QUANTIZED_ACTIVATIONS[bits]), rtol=0, atol=1e-6)


def test_gradients_pass_straight_through_even_where_values_are_clipped() -> None:
    x = torch.tensor(ACTIVATIONS, requires_grad=True)
    fake_quantize(x, unit_grid(4)).sum().backward()
    assert x.grad.tolist() == [1, 1, 1, 1]


def test_gradients_of_a_weight_ignore_that_it_sets_its_own_range() -> None:
    layer = QuantizedLinear.of(nn.Linear(5, 3), 3)
    layer(torch.ones(1, 5)).sum().backward()
    assert torch.equal(layer.weight.grad, torch.ones(3, 5))


@pytest.mark.parametrize("bits", range(2, 9))
def test_codes_are_whole_numbers_that_fit_the_width_and_give_back_the_values(bits: int) -> None:
    weight = torch.randn(6, 50, generator=torch.Generator().manual_seed(0))
    grid = channel_grid(weight, bits)
    codes = grid.codes(weight)
    assert codes.dtype == torch.int32
    assert (int(codes.min()), int(codes.max())) == (0, levels(bits))
    assert torch.equal(grid.values(codes), fake_quantize(weight, grid))


def test_zero_is_exact_on_every_grid_that_spans_it() -> None:
    for low in (-0.013, -0.4, -1.0, 0.0):
        grid = Grid.of(torch.tensor(low), torch.tensor(0.77), 3)
        assert float(fake_quantize(torch.tensor(0.0), grid)) == 0


def test_constant_and_empty_ranges_give_finite_values() -> None:
    constant = torch.full((2, 3), 0.25)
    torch.testing.assert_close(fake_quantize(constant, channel_grid(constant, 4)), constant)
    zeros = Grid.of(torch.tensor(0.0), torch.tensor(0.0), 4)
    assert float(fake_quantize(torch.tensor([3.0, -1.0]), zeros).abs().max()) < 1e-7


def test_fake_quantization_keeps_bfloat16() -> None:
    found = fake_quantize(torch.tensor(ACTIVATIONS, dtype=torch.bfloat16), unit_grid(4))
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), torch.tensor(QUANTIZED_ACTIVATIONS[4]), rtol=0, atol=4e-3)


def test_published_ranges_follow_the_published_sequence() -> None:
    assert observed("published", [1, 2, 1.5, 1.2]) == pytest.approx([1.0, 5.789472, 19.780527, 52.115353], rel=1e-6)


def test_published_ranges_overshoot_on_a_constant_as_the_published_program_does() -> None:
    bounds = [0.0, *observed("published", [1.0] * 175)]
    assert bounds[1:6] == pytest.approx([1, 5.263, 17.848, 47.000, 103.54], rel=1e-4)
    assert max(bounds) == bounds[21] == pytest.approx(3945, abs=0.5)
    assert bounds[80] == pytest.approx(22.6, abs=0.05)
    assert bounds[100] == pytest.approx(3.63, abs=0.005)
    near = {share: min(t for t in range(50, 176) if abs(bounds[t] - 1) <= share) for share in (0.1, 0.01, 0.001)}
    assert near == {0.1: 132, 0.01: 153, 0.001: 175}


def test_corrected_ranges_are_exact_on_a_constant_from_the_first_observation() -> None:
    assert observed("corrected", [2.5] * 200) == pytest.approx([2.5] * 200, rel=1e-6)


def test_corrected_ranges_are_the_weighted_mean_of_what_was_seen() -> None:
    maxima = [1.0, 2.0, 1.5, 1.2]
    weights = [0.9 ** (3 - i) for i in range(4)]
    mean = sum(w * m for w, m in zip(weights, maxima, strict=True)) / sum(weights)
    assert observed("corrected", maxima)[-1] == pytest.approx(mean, rel=1e-6)


def test_ranges_have_a_lower_bound_of_their_own() -> None:
    tracked = Range("corrected")
    tracked.observe(torch.tensor([-0.5, 2.0]))
    assert [float(bound) for bound in tracked.bounds()] == pytest.approx([-0.5, 2.0])


def test_resnet20_gets_22_quantized_weights_and_19_activation_quantizers() -> None:
    model = student()
    weighted = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(weighted) == 22
    assert all(isinstance(m, QuantizedWeight) for m in weighted)
    assert sum(isinstance(m, QuantizedConv2d) for m in weighted) == 21
    assert sum(isinstance(m, QuantizedActivation) for m in model.modules()) == 19
    assert sum(isinstance(m, nn.ReLU) for m in model.modules()) == 19
    assert sum(isinstance(m, nn.BatchNorm2d) for m in model.modules()) == 21


def test_conversion_adds_no_parameters_and_renames_none() -> None:
    plain = [(name, p.shape) for name, p in network().named_parameters()]
    assert [(name, p.shape) for name, p in student().named_parameters()] == plain


def test_mobilenet_converts_with_its_classifier_of_a_convolution_without_bias() -> None:
    model = student("W4A4", "mobilenetv2_w025")
    weighted = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    relus = sum(isinstance(m, nn.ReLU6) for m in network("mobilenetv2_w025").modules())
    assert all(isinstance(m, QuantizedConv2d) for m in weighted)
    assert sum(isinstance(m, QuantizedActivation) for m in model.modules()) == relus
    assert model.output.bias is None
    assert model(images()).isfinite().all()
    with quantizers_off(model):
        assert torch.equal(model(images()), network("mobilenetv2_w025")(images()))


@pytest.mark.parametrize("bits", ["W3A3", "W8A2"])
def test_with_quantizers_off_logits_are_the_full_precision_ones_bit_for_bit(bits: str) -> None:
    model, expected = student(bits), network()(images())
    with quantizers_off(model):
        assert torch.equal(model(images()), expected)
    assert not torch.allclose(model(images()), expected)


def test_students_are_quantized_in_eval_mode_and_more_bits_come_nearer_to_full_precision() -> None:
    expected = network()(images())
    errors = [float((student(f"W{k}A{k}")(images()) - expected).detach().abs().mean()) for k in (2, 4, 6, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.05 * errors[0]
    assert not any(m.training for m in student().modules())


def test_ranges_move_only_while_tracked_and_before_the_same_batch_is_quantized() -> None:
    model = quantize(network(), Bits(4, 4), "corrected")
    before = snapshot(model)
    model(images())
    assert changed(before, model) == set()
    with torch.no_grad(), tracking(model):
        first = model(images())
    assert {name.rpartition(".")[2] for name in changed(before, model)} <= {"lo", "hi", "weight"}
    assert len(changed(before, model)) >= 2 * 19
    assert torch.equal(model(images()), first)  # one batch seen: its own extremes are the range


def test_tracking_ends_when_the_context_fails() -> None:
    model = student()
    with pytest.raises(ValueError), tracking(model):
        model(torch.zeros(1, 3, 32, 32).fill_(float("nan")))
        raise ValueError
    assert not any(m.tracking for m in model.modules() if isinstance(m, QuantizedActivation))


def test_switches_nest() -> None:
    model = student()
    with quantizers_off(model):
        with quantizers_off(model):
            pass
        assert torch.equal(model(images()), network()(images()))


def test_weights_are_quantized_anew_from_the_current_latent_weight() -> None:
    layer = QuantizedLinear.of(nn.Linear(4, 2, bias=False), 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, 1, 2, 3], [0, 2, 4, 6]]))
    assert torch.equal(layer.quantized_weight(), layer.weight)
    with torch.no_grad():
        layer.weight[0, 3] = 30
    assert layer.quantized_weight()[0].tolist() == [0, 0, 0, 30]


def test_every_width_has_at_most_its_number_of_levels_in_each_channel_and_tensor() -> None:
    for bits in (2, 3, 5, 8):
        model = student(f"W{bits}A{bits}")
        for layer in (m for m in model.modules() if isinstance(m, QuantizedWeight)):
            most = max(len(channel.unique()) for channel in layer.quantized_weight().flatten(1))
            assert most <= 2**bits
        outputs: list[Tensor] = []
        model.features.init_block.activ.register_forward_hook(lambda m, given, out, seen=outputs: seen.append(out))
        model(images())
        assert len(outputs[0].unique()) <= 2**bits


def test_levels_are_written_over_a_tensor_only_where_that_is_asked_for() -> None:
    grid, x = unit_grid(3), torch.tensor(ACTIVATIONS)
    found = grid.nearest(x)
    assert torch.equal(x, torch.tensor(ACTIVATIONS))
    assert grid.nearest(x, out=x) is x
    assert torch.equal(x, found)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("bits", "name"), [("W3A3", "resnet20"), ("W8A2", "resnet20"), ("W4A4", "mobilenetv2_w025")])
def test_logits_do_not_depend_on_whether_gradients_are_asked_for(bits: str, name: str, precision: str) -> None:
    model, x = student(bits, name), images()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        learning = model(x)
        with torch.no_grad():
            assert torch.equal(model(x), learning)
    assert learning.requires_grad
    assert torch.equal(x, images())


@torch.no_grad()
def test_an_activation_overwrites_its_functions_output_and_not_its_input() -> None:
    quantizer, x = QuantizedActivation(nn.ReLU(), 3, "corrected"), torch.tensor(ACTIVATIONS)
    for quantizer.tracking in (True, False):
        found = quantizer(x)
        assert torch.equal(x, torch.tensor(ACTIVATIONS))
        assert not torch.equal(found, x.relu())


@pytest.mark.parametrize("rule", ["published", "corrected"])
@pytest.mark.parametrize("inplace", [True, False])
def test_clipping_to_the_grid_rectifies_in_values_and_gradients(rule: str, inplace: bool) -> None:
    x = torch.randn(64, 7, generator=torch.Generator().manual_seed(0))
    quantizer = QuantizedActivation(nn.ReLU(inplace), 3, rule)
    with torch.no_grad(), tracking(quantizer):
        for shift in (0.0, 0.5, 3.0):  # of the last, not even the lowest is 0
            quantizer(x + shift)
    own, plain = (x.clone().requires_grad_() for _ in range(2))
    found, expected = quantizer(own * 1), fake_quantize(torch.relu(plain), quantizer.grid())
    assert torch.equal(found, expected)
    for output in (found, expected):
        (output * torch.linspace(-1, 2, x.numel()).view_as(x)).sum().backward()
    assert torch.equal(own.grad, plain.grad)
    assert 0 < (own.grad == 0).sum() < x.numel()
    with torch.no_grad():
        assert torch.equal(quantizer(x.clone()), expected)

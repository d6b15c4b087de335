"""Learned steps: the function and its gradients, signs of inputs, first steps and whole networks."""

from __future__ import annotations

import pytest
import torch
from tiny import changed, images, network, snapshot
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from bench.quant.convert import quantizers_off
from bench.quant.learned import LearnedConv2d, LearnedInput, LearnedLinear, LearnedWeight, bounds, learned_step
from bench.quant.signs import signed_inputs
from bench.quant.steps import Magnitude, input_steps, learn_steps, set_input_steps, weight_steps
from bench.spec import Bits

VALUES = [-1.3, -0.6, -0.26, -0.05, 0.04, 0.31, 0.74, 2.0]
QUANTIZED = [-1, -0.5, -0.25, 0, 0, 0.25, 0.75, 0.75]
IN_STEP = [-4, 0.4, 0.04, 0.2, -0.16, -0.24, 0.04, 3]
IN_VALUE = [0, 1, 1, 1, 1, 1, 1, 0]


def gradients(
    x: Tensor, step: float, bits: int, weights: Tensor | None = None, *, signed: bool = True, scaled: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Quantized values, and the gradients of their weighted sum in the values and in the step."""
    x, s = x.clone().requires_grad_(), torch.tensor(step, dtype=torch.float64, requires_grad=True)
    q = learned_step(
        x, s.to(x.dtype if x.dtype == torch.float64 else torch.float32), bits, signed=signed, scaled=scaled
    )
    (q if weights is None else q * weights).sum().backward()
    return q.detach(), x.grad, s.grad


@pytest.fixture
def learned() -> nn.Module:
    """A ResNet-20 at W3A3 whose steps are set."""
    return student("W3A3")


def student(bits: str, name: str = "resnet20", ends: int | None = None) -> nn.Module:
    model = learn_steps(network(name), Bits.parse(bits), ends=ends)
    set_input_steps(model, [images(8)])
    return model


# the function


def test_values_and_gradients_are_the_published_vectors() -> None:
    x = torch.tensor(VALUES, dtype=torch.float64)
    q, in_value, _ = gradients(x, 0.25, 3)
    torch.testing.assert_close(q, torch.tensor(QUANTIZED, dtype=torch.float64))
    assert in_value.tolist() == IN_VALUE
    for at, expected in enumerate(IN_STEP):
        chosen = torch.zeros(8, dtype=torch.float64)
        chosen[at] = 1
        assert float(gradients(x, 0.25, 3, chosen)[2]) == pytest.approx(expected, abs=1e-9)


def test_published_vectors_hold_in_single_precision() -> None:
    q, in_value, in_step = gradients(torch.tensor(VALUES), 0.25, 3)
    torch.testing.assert_close(q, torch.tensor(QUANTIZED))
    assert in_value.tolist() == IN_VALUE
    assert float(in_step) == pytest.approx(sum(IN_STEP), abs=1e-5)


@pytest.mark.parametrize(
    ("value", "q", "in_value", "in_step"), [(-1.0, -1.0, 0, -4), (0.75, 0.75, 0, 3), (-0.99, -1.0, 1, -0.04)]
)
def test_at_the_bounds_the_gradient_is_the_steps_alone(value: float, q: float, in_value: float, in_step: float) -> None:
    found = gradients(torch.tensor([value], dtype=torch.float64), 0.25, 3)
    assert [float(t) for t in found] == pytest.approx([q, in_value, in_step])


def test_unsigned_codes_start_at_zero_and_reach_the_highest_of_all() -> None:
    x = torch.tensor([-0.3, 0.0, 0.6, 1.74, 9.0], dtype=torch.float64)
    q, in_value, in_step = gradients(x, 0.25, 3, signed=False)
    assert q.tolist() == [0, 0, 0.5, 1.75, 1.75]
    assert in_value.tolist() == [0, 0, 1, 1, 0]
    assert float(in_step) == pytest.approx((2 - 2.4) + (7 - 6.96) + 7)


@pytest.mark.parametrize(("signed", "high"), [(True, 3), (False, 7)])
def test_scaled_gradients_are_smaller_by_the_root_of_elements_times_highest_code(signed: bool, high: int) -> None:
    x = images(2).double()
    plain, scaled = (gradients(x, 0.25, 3, signed=signed, scaled=scaled) for scaled in (False, True))
    assert float(scaled[2]) == pytest.approx(float(plain[2]) / (x.numel() * high) ** 0.5)
    assert torch.equal(scaled[1], plain[1])


def test_gradient_in_the_step_is_that_of_a_differentiable_composition() -> None:
    """Between the bounds, s * (v/s + (round(v/s) - v/s) held constant)."""
    x, weights = images(1, seed=1).double(), images(1, seed=2).double()
    s = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
    r = x / s
    naive = s * torch.where((r > -4) & (r < 3), r + (r.round() - r).detach(), r.detach().clamp(-4, 3))
    (naive * weights).sum().backward()
    q, _, in_step = gradients(x, 0.9, 3, weights)
    torch.testing.assert_close(q, naive.detach())
    assert float(in_step) == pytest.approx(float(s.grad), rel=1e-9)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("signed", [True, False])
def test_quantizing_twice_is_quantizing_once(bits: int, signed: bool) -> None:
    step = torch.tensor(0.0371)
    once = learned_step(images(), step, bits, signed=signed, scaled=True)
    assert torch.equal(learned_step(once, step, bits, signed=signed, scaled=True), once)
    assert len(once.unique()) <= 2**bits
    low, high = bounds(bits, signed)
    assert (float(once.min()), float(once.max())) >= (low * float(step), 0)
    assert high - low == 2**bits - 1


def test_bfloat16_stays_bfloat16_and_its_step_keeps_single_precision() -> None:
    x = images().bfloat16().requires_grad_()
    step = torch.tensor(0.25, requires_grad=True)
    q = learned_step(x, step, 4, signed=True, scaled=True)
    q.sum().backward()
    assert (q.dtype, x.grad.dtype, step.grad.dtype) == (torch.bfloat16, torch.bfloat16, torch.float32)
    exact = gradients(x.detach().double(), 0.25, 4, scaled=True)
    torch.testing.assert_close(q.detach().double(), exact[0], rtol=0, atol=0.26)
    assert float((q.detach().double() == exact[0]).double().mean()) > 0.99
    assert float(step.grad) == pytest.approx(float(exact[2]), rel=0.02, abs=0.02)


def test_the_layout_in_memory_is_kept() -> None:
    x = images().contiguous(memory_format=torch.channels_last).requires_grad_()
    q = learned_step(x, torch.tensor(0.25), 4, signed=True, scaled=True)
    assert q.is_contiguous(memory_format=torch.channels_last)


# signs


def test_in_a_resnet_only_the_image_is_signed() -> None:
    signs = signed_inputs(network())
    assert len(signs) == 22
    assert [name for name, signed in signs.items() if signed] == ["features.init_block.conv"]
    assert list(signs)[-1] == "output"


def test_in_a_mobilenet_inputs_that_follow_no_rectifier_are_signed() -> None:
    signs = signed_inputs(network("mobilenetv2_w025"))
    units = [n for n in signs if n.endswith("conv1.conv") and n != "features.stage1.unit1.conv1.conv"]
    assert len(units) == 16
    expected = {"features.init_block.conv", "features.final_block.conv", *units}
    assert {name for name, signed in signs.items() if signed} == expected
    assert not signs["output"]


class Twisted(nn.Module):
    """Rectified tensors that are changed, pooled or left as they are before a layer takes them."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("image", "kept", "pooled", "shifted", "in_place", "inner", "both"):
            self.add_module(name, nn.Conv2d(3, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = relu(self.image(x))
        self.kept(y)
        self.pooled(avg_pool2d(y, 2))
        self.shifted(y - 1)
        self.both(y)
        self.both(x)
        z = torch.relu(x)
        self.inner(z.flatten(1).view(x.shape))
        z.sub_(1)
        return self.in_place(z)


def test_an_input_is_unsigned_only_where_it_surely_cannot_be_negative() -> None:
    model = Twisted()
    signs = signed_inputs(model)
    assert {name for name, signed in signs.items() if not signed} == {"kept", "pooled", "inner"}
    assert not any(m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(
    ("function", "signed"),
    [(nn.ReLU(), False), (nn.ReLU6(), False), (nn.Hardtanh(0, 2), False), (nn.Hardtanh(), True), (nn.GELU(), True)],
)
def test_only_functions_without_negative_values_rectify(function: nn.Module, signed: bool) -> None:
    assert signed_inputs(nn.Sequential(nn.Conv2d(3, 3, 1), function, nn.Conv2d(3, 3, 1)).eval())["2"] == signed


def test_inputs_after_every_kind_of_pooling_are_unsigned() -> None:
    for pool in (nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(4), nn.Dropout(), nn.Flatten(2)):
        last = nn.Linear(1024, 2) if isinstance(pool, nn.Flatten) else nn.Conv2d(3, 2, 1)
        model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True), pool, last).eval()
        assert signed_inputs(model) == {"0": True, "3": False}, pool


# first steps


@pytest.mark.parametrize(
    ("rule", "bits", "signed", "expected"),
    [
        ("max", 4, True, 4 / 7),
        ("max", 4, False, 4 / 15),
        ("lsq", 4, True, 2 * 1.5 / 7**0.5),
        ("auto", 4, False, 4 / 15),
        ("auto", 3, False, 2 * 1.5 / 7**0.5),
        ("auto", 2, True, 2 * 1.5),
    ],
)
def test_first_steps_follow_their_rule(rule: str, bits: int, signed: bool, expected: float) -> None:
    seen = Magnitude()
    for values in ([1.0, -4.0], [0.0, 1.0]):
        seen.see(torch.tensor(values))
    assert float(seen.step(bits, signed, rule)) == pytest.approx(expected)


def test_a_tensor_of_zeros_gets_a_positive_step() -> None:
    seen = Magnitude()
    seen.see(torch.zeros(3))
    assert float(seen.step(4, True, "max")) > 0


def test_first_steps_of_a_network_are_those_of_its_weights_and_full_precision_inputs() -> None:
    model, plain, batches = student("W4A3"), network(), [images(8)]
    given: dict[str, Tensor] = {}
    for name, module in plain.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_pre_hook(lambda m, x, n=name: given.update({n: x[0].detach()}))
    plain(batches[0])
    assert len(given) == 22
    for name, x in given.items():
        layer = model.get_submodule(name)
        high = 3 if name == "features.init_block.conv" else 7
        torch.testing.assert_close(layer.input.step.detach(), 2 * x.abs().mean() / high**0.5)
        torch.testing.assert_close(layer.step.detach(), layer.weight.detach().abs().max() / 7)


def test_setting_steps_changes_steps_of_inputs_and_nothing_else() -> None:
    model = learn_steps(network(), Bits(4, 4))
    before = snapshot(model)
    set_input_steps(model, [images(2), images(2, seed=1)])
    assert {name.rpartition(".input.")[2] for name in changed(before, model)} == {"step"}
    assert len(changed(before, model)) == 22
    assert not any(m._forward_pre_hooks or getattr(m, "off", False) for m in model.modules())


# networks


def test_every_layer_of_a_resnet_is_quantized_with_a_step_for_its_weight_and_one_for_its_input(
    learned: nn.Module,
) -> None:
    layers = [m for m in learned.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert [type(m) for m in layers] == [LearnedConv2d] * 21 + [LearnedLinear]
    assert {(m.bits, m.input.bits) for m in layers} == {(3, 3)}
    assert len(weight_steps(learned)) == len(input_steps(learned)) == 22
    assert sum(p.numel() for p in learned.parameters()) == 272_474 + 44
    assert {name for name, _ in network().named_parameters()} < {name for name, _ in learned.named_parameters()}


def test_first_and_last_layers_have_a_width_of_their_own_where_asked_for() -> None:
    for name in ("resnet20", "mobilenetv2_w025"):
        layers = {n: m for n, m in student("W4A3", name, ends=8).named_modules() if isinstance(m, LearnedWeight)}
        widths = {n: (m.bits, m.input.bits) for n, m in layers.items()}
        assert {n for n, width in widths.items() if width == (8, 8)} == {"features.init_block.conv", "output"}
        assert {width for width in widths.values() if width != (8, 8)} == {(4, 3)}


@pytest.mark.parametrize("name", ["resnet20", "mobilenetv2_w025"])
def test_with_quantizers_off_logits_are_the_full_precision_ones_bit_for_bit(name: str) -> None:
    model, expected = student("W3A3", name), network(name)(images())
    with quantizers_off(model):
        assert torch.equal(model(images()), expected)
    assert not torch.allclose(model(images()), expected)


def test_more_bits_come_nearer_to_full_precision() -> None:
    expected = network()(images())
    errors = [float((student(f"W{k}A{k}")(images()) - expected).detach().abs().mean()) for k in (2, 4, 6, 8)]
    assert errors == sorted(errors, reverse=True)


def test_gradients_reach_every_step_and_every_weight(learned: nn.Module) -> None:
    learned.train()(images()).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in learned.parameters())
    assert all(float(step.grad) != 0 for step in [*weight_steps(learned), *input_steps(learned)])


def test_inputs_are_on_their_grids(learned: nn.Module) -> None:
    seen: dict[str, Tensor] = {}
    for name, module in learned.named_modules():
        if isinstance(module, LearnedInput):
            module.register_forward_hook(lambda m, _, out, n=name: seen.update({n: out.detach() / m.step.detach()}))
    learned(images())
    assert len(seen) == 22
    for name, codes in seen.items():
        low = -4 if name == "features.init_block.conv.input" else 0
        torch.testing.assert_close(codes, codes.round(), rtol=0, atol=1e-4)
        assert low - 1e-4 <= float(codes.min()) <= float(codes.max()) <= low + 7 + 1e-4

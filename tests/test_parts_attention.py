"""Attention maps against test vectors, and the taps that feature maps are read from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tiny import images, network, student
from torch import Tensor, nn

from bench.errors import CellDeclined
from bench.models.registry import build
from methods.parts.attention import _mean_square, channel_energy, channel_mean, channel_softmax, spatial_energy
from methods.parts.taps import Taps, convolutions, lacks_bodies, residual_bodies

COUNT = torch.arange(24)
TUTOR, STUDENT = COUNT.sin().view(2, 3, 2, 2), (0.7 * COUNT).cos().view(2, 3, 2, 2)
NEAR = {"rtol": 0, "atol": 1e-6}


def mean_square(a: Tensor, b: Tensor) -> float:
    return float((a - b).square().mean())


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """KL(p || q) of each row, (B,)."""
    return (p * (p / q).log()).sum(1)


def test_spatial_energy_has_its_value() -> None:
    expected = torch.tensor([[0.511897, 0.593014, 0.396185, 0.478887], [0.414765, 0.620225, 0.532243, 0.400010]])
    torch.testing.assert_close(spatial_energy(TUTOR), expected, **NEAR)


def test_channel_energy_has_its_values() -> None:
    tutor = torch.tensor([[0.441509, 0.568492, 0.694180], [0.561066, 0.478492, 0.675463]])
    other = torch.tensor([[0.529343, 0.577819, 0.621225], [0.598491, 0.585247, 0.547078]])
    torch.testing.assert_close(channel_energy(TUTOR), tutor, **NEAR)
    torch.testing.assert_close(channel_energy(STUDENT), other, **NEAR)
    assert mean_square(channel_energy(TUTOR), channel_energy(STUDENT)) == pytest.approx(0.00706739, abs=1e-8)


def test_channel_softmax_has_its_values() -> None:
    tutor = torch.tensor([[0.296964, 0.332089, 0.370947], [0.329653, 0.307750, 0.362597]])
    torch.testing.assert_close(channel_softmax(TUTOR), tutor, **NEAR)
    distance = divergence(channel_softmax(TUTOR), channel_softmax(STUDENT)).mean()
    assert float(distance) == pytest.approx(0.00262424, abs=1e-7)


def test_channel_mean_has_its_value() -> None:
    assert mean_square(channel_mean(TUTOR), channel_mean(STUDENT)) == pytest.approx(0.617465, abs=1e-6)


@pytest.mark.parametrize(("attention", "expected"), [(channel_softmax, 9.2089e-6), (spatial_energy, 7.03901e-4)])
def test_attention_softened_again_has_akts_distance(attention: Callable[[Tensor], Tensor], expected: float) -> None:
    """Values were computed in single precision, whose rounding is all of the tolerance."""
    tutor, other = ((attention(maps.double()) / 8).softmax(1) for maps in (TUTOR, STUDENT))
    assert float(divergence(tutor, other).sum()) == pytest.approx(expected, abs=1.5e-7)


@pytest.mark.parametrize("attention", [spatial_energy, channel_energy])
def test_energies_of_nothing_are_nothing_and_have_a_finite_gradient(attention: Callable[[Tensor], Tensor]) -> None:
    maps = torch.zeros(1, 3, 2, 2, requires_grad=True)
    attention(maps).sum().backward()
    assert not attention(maps).any()
    assert maps.grad.isfinite().all()


@pytest.mark.parametrize("attention", [spatial_energy, channel_energy, channel_softmax, channel_mean])
def test_attention_of_half_precision_maps_is_computed_in_single(attention: Callable[[Tensor], Tensor]) -> None:
    half = TUTOR.bfloat16()
    assert attention(half).dtype == torch.float32
    assert torch.equal(attention(half), attention(half.float()))
    assert attention(TUTOR.double()).dtype == torch.float64


@pytest.mark.parametrize("attention", [spatial_energy, channel_energy, channel_softmax])
def test_gradients_of_attention_are_exact(attention: Callable[[Tensor], Tensor]) -> None:
    assert torch.autograd.gradcheck(attention, TUTOR.double().requires_grad_())


@pytest.mark.parametrize("dims", [1, (2, 3)])
def test_gradients_of_energies_have_the_dtype_of_the_maps(dims: int | tuple[int, ...]) -> None:
    """Asked of the operation itself: autograd would narrow a wider one without a word."""
    maps = TUTOR.bfloat16().requires_grad_()
    energy = _mean_square(maps, dims)
    slope, _ = energy.grad_fn.apply(torch.ones_like(energy))
    assert slope.dtype == torch.bfloat16
    averaged = maps.numel() // energy.numel()
    torch.testing.assert_close(slope.float(), 2 / averaged * TUTOR, rtol=0.02, atol=1e-3)


# taps


def test_taps_keep_outputs_in_the_order_of_the_modules() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    taps = Taps([net[1], net[0]])
    x = images(2)
    last, first = net(x), net[0](x)
    rectified, linear = taps.take()
    assert torch.equal(rectified, last)
    assert torch.equal(linear, first)
    assert rectified.requires_grad


def test_a_second_forward_replaces_the_first_and_taking_clears() -> None:
    net = nn.Sequential(nn.ReLU())
    taps = Taps([net[0]])
    net(images(1))
    net(images(1, seed=1))
    assert torch.equal(taps.take()[0], images(1, seed=1).relu())
    with pytest.raises(RuntimeError, match="1 of 1 tapped modules have not run"):
        taps.take()


def test_taps_work_under_autocast() -> None:
    net = network()
    taps = Taps(residual_bodies(net))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        net(images(2))
    maps = taps.take()
    assert len(maps) == 9
    assert all(channel_energy(m).dtype == torch.float32 and channel_energy(m).isfinite().all() for m in maps)


@pytest.mark.parametrize("model", [network, student], ids=["tutor", "student"])
def test_residual_bodies_of_a_resnet_end_before_the_shortcut_sum(model: Callable[[], nn.Module]) -> None:
    net = model()
    bodies = residual_bodies(net)
    taps, inputs = Taps(bodies), []
    for body in bodies:
        body.conv2.bn.register_forward_hook(lambda norm, given, output: inputs.append(output))
    with torch.no_grad():
        net(images(2))
    maps = taps.take()
    assert [tuple(m.shape) for m in maps] == [(2, 16, 32, 32)] * 3 + [(2, 32, 16, 16)] * 3 + [(2, 64, 8, 8)] * 3
    assert all(torch.equal(m, i) for m, i in zip(maps, inputs, strict=True))


def test_networks_without_residual_bodies_are_declined() -> None:
    with pytest.raises(CellDeclined, match="MobileNetV2 has no residual bodies.* use a ResNet"):
        residual_bodies(build("mobilenetv2_w025", 10))
    assert lacks_bodies("mobilenetv2").startswith("MobileNetV2 has no residual bodies")
    assert lacks_bodies("resnet56") is None


def test_convolutions_of_a_resnet_are_all_21_before_their_batch_norms() -> None:
    net = student()
    taps = Taps(convolutions(net))
    with torch.no_grad():
        net(images(1))
    maps = taps.take()
    assert len(maps) == 21
    assert tuple(maps[0].shape) == (1, 16, 32, 32)

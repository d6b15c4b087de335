"""Upsampling within a convolution against the two operations one after the other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

from bench.quant.grid import channel_grid, fake_quantize
from bench.spec import Bits
from methods.bag import QuantizedUpsampledConv2d, quantize_generator
from methods.parts.generator import Generator
from methods.parts.upsampled import UpsampledConv2d


def layer(bias: bool = True) -> UpsampledConv2d:
    torch.manual_seed(0)
    made = UpsampledConv2d(3, 4)
    if not bias:
        made.bias = None
    return made


def plain(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Upsampling, then the convolution."""
    return conv2d(interpolate(x, scale_factor=2, mode="nearest"), weight, bias, padding=1)


def maps(height: int, width: int) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))


def slopes(y: Tensor, *of: Tensor | None) -> list[Tensor]:
    """Gradients of a weighted sum of `y`, whose pixels all differ in weight."""
    weights = torch.linspace(-1, 2, y.numel()).view_as(y)
    return list(torch.autograd.grad((y * weights).sum(), [tensor for tensor in of if tensor is not None]))


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (4, 2)])
def test_output_and_gradients_are_those_of_upsampling_then_convolving(height: int, width: int, bias: bool) -> None:
    own, x = layer(bias), maps(height, width).requires_grad_()
    found, expected = own(x), plain(x, own.weight, own.bias)
    assert found.shape == (2, 4, 2 * height, 2 * width)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    of = x, own.weight, own.bias
    torch.testing.assert_close(slopes(found, *of), slopes(expected, *of), rtol=1e-12, atol=1e-12)


def test_maps_stay_in_half_precision_under_autocast() -> None:
    own, x = layer(), maps(3, 5)
    with torch.autocast("cpu", torch.bfloat16):
        found = own(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), plain(x, own.weight, own.bias), rtol=0.02, atol=0.02)


@pytest.mark.usefixtures("double")
def test_of_a_quantized_one_the_weight_is_quantized_before_its_taps_are_merged() -> None:
    own, x = QuantizedUpsampledConv2d.of(layer(), 3), maps(3, 5)
    on_grid = fake_quantize(own.weight, channel_grid(own.weight, 3))
    assert max(len(channel.unique()) for channel in on_grid) <= 8
    torch.testing.assert_close(own(x), plain(x, on_grid, own.bias), rtol=1e-12, atol=1e-12)


def test_all_convolutions_of_a_quantized_generator_keep_what_they_compute() -> None:
    generator = Generator(10)
    quantize_generator(generator, Bits(3, 4), activations=False)
    found = [type(m) for m in generator.modules() if isinstance(m, nn.Conv2d)]
    assert found[:2] == [QuantizedUpsampledConv2d] * 2
    assert not issubclass(found[2], UpsampledConv2d)

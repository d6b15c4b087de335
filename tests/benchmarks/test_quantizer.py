"""The quantizers, forward and backward, beside torch's own fake-quantize and a bare copy of the same tensor.

A copy into fresh memory reads and writes every byte once, as the forward of a quantizer must at least: the ratio to
it says how many times over the tensor's bytes could have been moved, at the bandwidth of that moment.

torch's functions give the same levels, and differ in this:

- They round x / step plus the zero point, half to even: a value half-way between two levels may go to the other one.
- `fake_quantize_per_*_affine` stops the gradient of clipped values, by a mask that its forward writes. Ours lets all
  gradients pass, as the GDFQ family's program does: its forward writes no mask, its backward moves no bytes.
- `_fake_quantize_learnable_per_tensor_affine` has a gradient of the zero point, too.

Tensors are those of ResNet-20: the output of its first stage for 200 images, and a weight of its last. Grids are
given to both. On a GPU if there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from beside import Beside
from torch import Tensor

from bench.quant.grid import Grid, channel_grid, fake_quantize, levels
from bench.quant.learned import bounds, learned_step

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
BITS = 4
ROUNDS, WARMUP = 100, 3


@dataclass
class Pair:
    """A quantizer and torch's of the same name and the same inputs, the first of which is quantized."""

    name: str
    ours: Callable[..., Tensor]
    theirs: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]


def normal(*shape: int) -> Tensor:
    made = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    return made.to(DEVICE, memory_format=torch.channels_last).requires_grad_()


def activation() -> Pair:
    x = normal(200, 16, 32, 32)
    grid = Grid.of(0.8 * x.detach().min(), 0.8 * x.detach().max(), BITS)
    step, zero, theirs = grid.step, -grid.zero.int(), torch.fake_quantize_per_tensor_affine
    return Pair(
        theirs.__name__, lambda x: fake_quantize(x, grid), lambda x: theirs(x, step, zero, 0, levels(BITS)), (x,)
    )


def weight() -> Pair:
    x = normal(64, 64, 3, 3)
    grid = channel_grid(x, BITS)
    step, zero, theirs = grid.step.flatten(), -grid.zero.flatten().int(), torch.fake_quantize_per_channel_affine
    return Pair(
        theirs.__name__, lambda x: fake_quantize(x, grid), lambda x: theirs(x, step, zero, 0, 0, levels(BITS)), (x,)
    )


def learned() -> Pair:
    x = normal(200, 16, 32, 32)
    step, zero = (torch.tensor([value], device=DEVICE, requires_grad=True) for value in (0.3, 0.0))
    low, high = bounds(BITS, signed=True)
    gain, theirs = (x.numel() * high) ** -0.5, torch._fake_quantize_learnable_per_tensor_affine
    return Pair(
        theirs.__name__,
        lambda x, step, zero: learned_step(x, step[0], BITS, signed=True, scaled=True),
        lambda x, step, zero: theirs(x, step, zero, low, high, gain),
        (x, step, zero),
    )


KINDS = pytest.mark.parametrize("kind", [activation, weight, learned], ids=lambda kind: kind.__name__)


@KINDS
def test_forward(beside: Beside, kind: Callable[[], Pair]) -> None:
    pair = kind()
    off = (pair.ours(*pair.inputs) - pair.theirs(*pair.inputs)).abs() > 1e-4
    assert float(off.float().mean()) < 1e-4  # values half-way between levels
    run(beside, lambda: pair.ours(*pair.inputs), lambda: pair.theirs(*pair.inputs), pair)


@KINDS
def test_backward(beside: Beside, kind: Callable[[], Pair]) -> None:
    pair = kind()
    ours, theirs = pair.ours(*pair.inputs), pair.theirs(*pair.inputs)
    gradient = torch.randn_like(ours)

    def back(output: Tensor) -> None:
        torch.autograd.grad(output, pair.inputs, gradient, retain_graph=True, allow_unused=True)

    run(beside, lambda: back(ours), lambda: back(theirs), pair)


def run(beside: Beside, ours: Callable[[], object], theirs: Callable[[], object], pair: Pair) -> None:
    x = pair.inputs[0].detach()
    beside.in_turn(ours, {pair.name: theirs, "a copy": x.clone}, rounds=ROUNDS, warmup=WARMUP)
    seconds = beside.benchmark.extra_info["seconds"]["a copy"]
    beside.benchmark.extra_info["copied_bytes_per_second"] = 2 * x.nbytes / seconds

"""Writing an integer model, and its passes in onnxruntime, each beside the same of full precision, in turn."""

from __future__ import annotations

import pytest
import torch
from beside import Beside
from torch import nn

from bench.export import session
from bench.export.model import export
from bench.models import build
from bench.quant.convert import quantize, tracking
from bench.spec import Bits

BITS = [Bits(3, 3), Bits(4, 4), Bits(8, 8)]
FILES = 10
ROUNDS = {1: 100, 128: 10}
"""Of passes, by batch size."""


def network() -> nn.Module:
    torch.manual_seed(0)
    return build("resnet20", 10).eval()


def student(bits: Bits) -> nn.Module:
    model = quantize(network(), bits, "corrected")
    with torch.no_grad(), tracking(model):
        model(torch.randn(8, 3, 32, 32))
    return model


def written(model: nn.Module) -> bytes:
    return export(model, "resnet20", 10, {}).data


def test_writing_a_file(beside: Beside) -> None:
    integer, plain = student(Bits(4, 4)), network()
    others = {"that of full precision": lambda: written(plain)}
    beside.in_turn(lambda: written(integer), others, rounds=FILES, warmup=1)
    beside.benchmark.extra_info["bytes"] = len(written(integer))


@pytest.mark.parametrize("batch", ROUNDS)
@pytest.mark.parametrize("bits", BITS, ids=str)
def test_a_pass_of_the_integer_model(beside: Beside, bits: Bits, batch: int) -> None:
    plain, whole = (session.load(export(model, "resnet20", 10, {}), 1) for model in (network(), student(bits)))
    images = torch.randn(batch, 3, 32, 32).numpy()
    others = {"that of full precision": lambda: plain.run(images)}
    beside.in_turn(lambda: whole.run(images), others, rounds=ROUNDS[batch], warmup=1)
    convolutions = f"{whole.integer} of {whole.convolutions}"
    beside.benchmark.extra_info.update(kernel=whole.kernel, integer_convolutions=convolutions)

"""Writing an ONNX file, and passes of the integer model beside those of full precision, in turn, in onnxruntime."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import nn

from bench.export import session
from bench.export.model import export
from bench.models import build
from bench.quant.convert import quantize, tracking
from bench.spec import Bits

BITS = [Bits(3, 3), Bits(4, 4), Bits(8, 8)]
ROUNDS = {1: 100, 128: 10}
"""By batch size."""


def network() -> nn.Module:
    torch.manual_seed(0)
    return build("resnet20", 10).eval()


def student(bits: Bits) -> nn.Module:
    model = quantize(network(), bits, "corrected")
    with torch.no_grad(), tracking(model):
        model(torch.randn(8, 3, 32, 32))
    return model


def test_writing_a_file(benchmark) -> None:
    model = student(Bits(4, 4))
    file = benchmark(export, model, "resnet20", 10, {})
    benchmark.extra_info["bytes"] = len(file.data)


@pytest.mark.parametrize("batch", ROUNDS)
@pytest.mark.parametrize("bits", BITS, ids=str)
def test_a_pass_of_the_integer_model(benchmark, bits: Bits, batch: int) -> None:
    plain = session.load(export(network(), "resnet20", 10, {}), 1)
    whole = session.load(export(student(bits), "resnet20", 10, {}), 1)
    images = torch.randn(batch, 3, 32, 32).numpy()
    beside: list[float] = []

    def full_precision() -> tuple[tuple[np.ndarray], dict[str, object]]:
        start = time.perf_counter()
        plain.run(images)
        beside.append(time.perf_counter() - start)
        return (images,), {}

    benchmark.pedantic(whole.run, setup=full_precision, rounds=ROUNDS[batch])
    middle = float(np.median(beside))
    benchmark.extra_info |= {
        "kernel": whole.kernel,
        "integer_convolutions": f"{whole.integer} of {whole.convolutions}",
        "fp32_seconds": middle,
        "ratio_to_fp32": benchmark.stats.stats.median / middle,
    }

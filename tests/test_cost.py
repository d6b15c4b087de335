"""Cost without a machine: operations and bytes, against what is known of the networks by hand."""

from __future__ import annotations

import pytest
from tiny import network, student

from bench.measure.cost import cost
from bench.models import weights
from bench.quant.pack import pack
from bench.quant.steps import learn_steps
from bench.spec import Bits

RESNET20_MACS = 432 * 1024 + 6 * 2304 * 1024 + (4608 + 512 + 5 * 9216) * 256 + (18432 + 2048 + 5 * 36864) * 64 + 640
"""Weights of each convolution of He et al.'s network, with projection shortcuts, times the pixels of its output."""


def test_resnet20_has_the_operations_that_its_shapes_say() -> None:
    found = cost(network())
    assert found["macs"] == sum(layer["macs"] for layer in found["layers"]) == RESNET20_MACS == 40_813_184
    assert found["bit_operations"] == 32 * 32 * RESNET20_MACS
    assert len(found["layers"]) == 22


@pytest.mark.parametrize("bits", ["W3A3", "W4A8", "W8A8"])
def test_bit_operations_take_each_layers_own_widths(bits: str) -> None:
    """The image has 8 bits, the pooled features are floats, and all else has the activations' bits."""
    wanted = Bits.parse(bits)
    found = cost(student(bits))
    widths = {layer["name"]: (layer["w_bits"], layer["a_bits"]) for layer in found["layers"]}
    assert widths.pop("features.init_block.conv") == (wanted.w, 8)
    assert widths.pop("output") == (wanted.w, 32)
    assert set(widths.values()) == {(wanted.w, wanted.a)}
    inner = RESNET20_MACS - 432 * 1024 - 640
    assert found["bit_operations"] == wanted.w * (8 * 432 * 1024 + wanted.a * inner + 32 * 640)


def test_an_input_that_is_no_activation_counts_as_floats() -> None:
    """MobileNetV2's sums between bottlenecks are not quantized."""
    found = {layer["name"]: layer["a_bits"] for layer in cost(student("W4A4", "mobilenetv2_w025"))["layers"]}
    assert found["features.stage3.unit2.conv1.conv"] == 32
    assert found["features.stage3.unit2.conv2.conv"] == found["features.stage3.unit2.conv3.conv"] == 4


def test_learned_steps_round_their_own_input() -> None:
    model = learn_steps(network(), Bits(3, 3), ends=8).eval()
    widths = [(layer["w_bits"], layer["a_bits"]) for layer in cost(model)["layers"]]
    assert widths == [(8, 8), *[(3, 3)] * 20, (8, 8)]


def test_bytes_are_those_of_the_packed_tensors() -> None:
    full, low = cost(network()), cost(student("W3A3"))
    parameters, norms = 270_896, 4 * (16 * 7 + 32 * 7 + 64 * 7)
    assert full["packed_bytes"] == full["fp32_bytes"] == low["fp32_bytes"] == 4 * (parameters + 10 + norms)
    assert low["packed"] == {
        "weights": 3 * parameters // 8,
        "scales": (4 + 2) * (16 * 7 + 32 * 7 + 64 * 7 + 10),
        "biases": 40,
        "batch_norm": 4 * norms,
        "ranges": 19 * 3 * 4,
        "other": 0,
    }
    stored = [t for name, t in pack(student("W3A3")).items() if not name.endswith(weights.COUNTER)]
    assert low["packed_bytes"] == sum(tensor.nbytes for tensor in stored)

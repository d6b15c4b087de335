"""Packed weights: exact sizes, and a restored model that computes bit for bit what the packed one did."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from tiny import images, network, snapshot, student
from torch import nn

from bench.models import weights
from bench.quant import census
from bench.quant.convert import quantize, quantizers_off
from bench.quant.describe import describe
from bench.quant.layers import QuantizedConv2d, QuantizedWeight
from bench.quant.learned import LearnedInput
from bench.quant.pack import pack, pack_codes, restore, unpack_codes
from bench.quant.steps import learn_steps, set_input_steps
from bench.spec import Bits

WIDTHS = range(2, 9)


def fresh(bits: int, name: str = "resnet20") -> nn.Module:
    """A quantized network of other weights, to be filled."""
    model = quantize(network(name), Bits(bits, bits), "corrected")
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.5)
    return model


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("shape", [(1,), (7,), (5, 3, 3, 3), (4, 11)])
def test_codes_come_back_and_take_exactly_their_bits(bits: int, shape: tuple[int, ...]) -> None:
    codes = torch.randint(2**bits, shape, generator=torch.Generator().manual_seed(bits), dtype=torch.int32)
    packed = pack_codes(codes, bits)
    assert packed.dtype == torch.uint8
    assert packed.shape == (-(-codes.numel() * bits // 8),)
    assert torch.equal(unpack_codes(packed, bits, shape), codes)


def test_codes_are_laid_out_most_significant_bit_first() -> None:
    assert pack_codes(torch.tensor([0b101, 0b001, 0b111]), 3).tolist() == [0b10100111, 0b10000000]


@pytest.mark.parametrize("bits", WIDTHS)
def test_a_restored_model_has_the_logits_of_the_packed_one_bit_for_bit(bits: int) -> None:
    model = student(f"W{bits}A{bits}")
    restored = restore(fresh(bits), pack(model))
    assert torch.equal(restored(images()), model(images()))
    assert torch.equal(restored(images(2, seed=5)), model(images(2, seed=5)))


@pytest.mark.parametrize("bits", [3, 8])
def test_packed_bytes_are_codes_and_six_bytes_a_channel_and_the_rest_as_it_was(bits: int) -> None:
    model = student(f"W{bits}A{bits}")
    layers = {name: m for name, m in model.named_modules() if isinstance(m, QuantizedWeight)}
    sizes = {name: t.numel() * t.element_size() for name, t in pack(model).items()}
    for name, layer in layers.items():
        assert sizes.pop(f"{name}.codes") == -(-layer.weight.numel() * bits // 8)
        assert sizes.pop(f"{name}.scale") == 4 * len(layer.weight)
        assert sizes.pop(f"{name}.zero_point") == 2 * len(layer.weight)
    rest = {name: t for name, t in model.state_dict().items() if name.removesuffix(".weight") not in layers}
    assert sizes == {name: t.numel() * t.element_size() for name, t in rest.items()}


def test_resnet20_at_four_bits_packs_its_270896_weights_into_half_as_many_bytes() -> None:
    codes = [t.numel() for name, t in pack(student()).items() if name.endswith(".codes")]
    assert (len(codes), sum(codes)) == (22, 270_896 // 2)


def test_packing_survives_a_file_and_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = student()
    before = snapshot(model)
    weights.write(tmp_path / "packed.safetensors", pack(model))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    packed = safetensors.torch.load_file(tmp_path / "packed.safetensors")
    assert torch.equal(restore(fresh(4), packed)(images()), model(images()))


def test_a_restored_model_is_described_and_packed_as_the_one_that_was_packed() -> None:
    packed = pack(student("W3A3"))
    restored = restore(fresh(3), packed)
    again = pack(restored)
    assert again.keys() == packed.keys()
    assert all(torch.equal(again[name], packed[name]) for name in packed)


def test_a_restored_model_stays_restored_after_its_quantizers_were_off() -> None:
    model = student("W3A3")
    restored = restore(fresh(3), pack(model))
    with quantizers_off(restored):
        restored(images())
    assert torch.equal(restored(images()), model(images()))
    assert all(m.off for m in restored.modules() if isinstance(m, QuantizedWeight))


def test_a_restored_model_passes_the_census() -> None:
    model = student("W3A3")
    assert census.take(restore(fresh(3), pack(model)), images()) == census.take(model, images())


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize(
    "values", [[0.6, 0.6, 0.6], [0.5, 0.5005, 0.501], [-2.0, -1.9999, -2.0], [0.6, 0.60000006, 0.60000012]]
)
def test_channels_far_from_zero_for_their_span_come_back_exactly(bits: int, values: list[float]) -> None:
    def model() -> nn.Sequential:
        return nn.Sequential(QuantizedConv2d.of(nn.Conv2d(3, 2, 1, bias=False), bits)).eval()

    packed, x = model(), images()
    with torch.no_grad():
        packed[0].weight.copy_(torch.tensor([values, [-1.0, 0.3, 1.0]]).view(2, 3, 1, 1))
    (described,) = describe(packed)
    assert 0 <= int(described.codes.min()) <= int(described.codes.max()) < 2**bits
    restored = restore(model(), pack(packed))
    assert torch.equal(restored[0].quantized_weight(), packed[0].quantized_weight())
    assert torch.equal(restored(x), packed(x))


def test_descriptions_name_every_quantized_tensor_and_give_its_values() -> None:
    model = student("W3A5")
    found = {(t.kind, t.name): t for t in describe(model)}
    assert sum(kind == "weight" for kind, _ in found) == 22
    assert sum(kind == "activation" for kind, _ in found) == 19
    for name, layer in model.named_modules():
        if isinstance(layer, QuantizedWeight):
            t = found["weight", name]
            column = (-1, *[1] * (layer.weight.ndim - 1))
            values = t.scale.view(column) * (t.codes - t.zero_point.view(column))
            assert (t.bits, t.axis, t.codes.shape) == (3, 0, layer.weight.shape)
            assert torch.equal(values, layer.quantized_weight())
    assert all((t.bits, t.axis, t.codes) == (5, None, None) for t in found.values() if t.kind == "activation")
    assert all(int(t.zero_point) == 0 for t in found.values() if t.kind == "activation")


def learned(bits: int, name: str = "resnet20", ends: int | None = None) -> nn.Module:
    """A network with learned steps, as they are to begin with."""
    model = learn_steps(network(name), Bits(bits, bits), ends=ends)
    set_input_steps(model, [images()])
    return model


def fresh_learned(bits: int, name: str = "resnet20", ends: int | None = None) -> nn.Module:
    """A network with learned steps of other weights and steps, to be filled."""
    model = learn_steps(network(name), Bits(bits, bits), ends=ends)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.5)
    return model


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize(("name", "ends"), [("resnet20", None), ("resnet20", 8), ("mobilenetv2_w025", None)])
def test_a_restored_model_with_learned_steps_has_the_logits_of_the_packed_one_bit_for_bit(
    bits: int, name: str, ends: int | None
) -> None:
    model = learned(bits, name, ends)
    restored = restore(fresh_learned(bits, name, ends), pack(model))
    assert torch.equal(restored(images()), model(images()))
    assert torch.equal(restored(images(2, seed=5)), model(images(2, seed=5)))
    assert census.take(restored, images()) == census.take(model, images())


def test_weights_with_one_step_pack_into_codes_and_ten_bytes_more() -> None:
    """A scale, a zero point and the step, which the scale repeats."""
    model = learned(3)
    sizes = {name: t.numel() * t.element_size() for name, t in pack(model).items()}
    for name, layer in model.named_modules():
        if isinstance(layer, QuantizedWeight):
            assert sizes[f"{name}.codes"] == -(-layer.weight.numel() * 3 // 8)
            assert (sizes[f"{name}.scale"], sizes[f"{name}.zero_point"], sizes[f"{name}.step"]) == (4, 2, 4)
    assert not any(name.endswith("conv.weight") for name in sizes)


def test_a_restored_model_with_learned_steps_is_packed_as_the_one_that_was_packed() -> None:
    packed = pack(learned(3))
    restored = restore(fresh_learned(3), packed)
    with quantizers_off(restored):
        restored(images())
    again = pack(restored)
    assert again.keys() == packed.keys()
    assert all(torch.equal(again[name], packed[name]) for name in packed)
    assert torch.equal(restored(images()), learned(3)(images()))


def test_learned_steps_survive_a_file(tmp_path: Path) -> None:
    model = learned(4)
    weights.write(tmp_path / "packed.safetensors", pack(model))
    packed = safetensors.torch.load_file(tmp_path / "packed.safetensors")
    assert torch.equal(restore(fresh_learned(4), packed)(images()), model(images()))


def test_descriptions_of_learned_steps_give_signed_values_by_codes_from_zero() -> None:
    model = learned(3, "mobilenetv2_w025")
    found = {t.name: t for t in describe(model)}
    layers = {name: m for name, m in model.named_modules() if isinstance(m, QuantizedWeight)}
    assert len(found) == 2 * len(layers)
    for name, layer in layers.items():
        t = found[name]
        assert (t.kind, t.bits, t.axis, t.scale.shape, int(t.zero_point)) == ("weight", 3, None, (), 4)
        assert 0 <= int(t.codes.min()) <= int(t.codes.max()) <= 7
        assert torch.equal(t.scale * (t.codes - t.zero_point), layer.quantized_weight())
        given = found[f"{name}.input"]
        assert (given.kind, given.bits, given.axis, given.codes) == ("activation", 3, None, None)
        assert int(given.zero_point) == (4 if layer.input.signed else 0)
        assert torch.equal(given.scale, layer.input.step)
    assert {m.signed for m in model.modules() if isinstance(m, LearnedInput)} == {True, False}

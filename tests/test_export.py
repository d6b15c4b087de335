"""Exported models: the integers of the weights, the codes on the way, and what computes each layer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tiny import images, network, student
from torch import nn
from torch.nn import functional

from bench.export import session
from bench.export.agreement import agreement
from bench.export.model import Exported, export
from bench.export.products import FLOAT_INPUT, FLOAT_WEIGHT, FLOAT_ZEROS, INTEGER, SUMS
from bench.export.trace import NotExportable
from bench.quant.convert import quantize, tracking
from bench.quant.describe import QuantizedTensor, describe
from bench.quant.steps import learn_steps, set_input_steps
from bench.spec import Bits

TIE = 1e-3
"""Steps by which what is rounded may differ: a layer's sums are added up in another order."""


@pytest.fixture(autouse=True, scope="module")
def single() -> Iterator[None]:
    """One thread: two that share a busy core wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """Networks of a test's own have the same weights every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def exported(model: nn.Module, classes: int = 10) -> Exported:
    return export(model, "net", classes, {})


def learned_steps(bits: str = "W4A4", ends: int | None = None) -> nn.Module:
    """A network with learned steps, whose inputs' steps are those of `images`."""
    model = learn_steps(network(), Bits.parse(bits), ends=ends)
    set_input_steps(model, [images()])
    return model


def tracked(model: nn.Module, bits: str = "W4A4") -> nn.Module:
    """A network of a test's own, quantized, that has seen `images`."""
    quantize(model, Bits.parse(bits), "corrected")
    with torch.no_grad(), tracking(model):
        model(images())
    return model


def positions(model: nn.Module, given: torch.Tensor) -> dict[str, np.ndarray]:
    """What each activation quantizer of a model rounds to codes, clipped to them."""
    seen: dict[str, np.ndarray] = {}

    def note(grid: QuantizedTensor, function: nn.Module, x: torch.Tensor) -> None:
        steps = function(x) / grid.scale + grid.zero_point
        seen[grid.name] = steps.clamp(0, 2**grid.bits - 1).detach().numpy()

    for grid in (tensor for tensor in describe(model) if tensor.kind == "activation"):
        quantizer = model.get_submodule(grid.name)
        function = getattr(quantizer, "function", nn.Identity())
        quantizer.register_forward_pre_hook(lambda _, x, grid=grid, function=function: note(grid, function, x[0]))
    with torch.no_grad():
        model(given)
    return seen


def exported_codes(file: Exported, given: torch.Tensor, before: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The codes of each activation quantizer in an exported model, each made of the codes `before` it."""
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(file.data))
    kinds = {value.name: value for value in model.graph.value_info if value.name.endswith(".codes")}
    last = {name.removesuffix(".codes").removesuffix(".clipped"): name for name in kinds}
    inputs = {"images": given.numpy()}
    for name in before:
        replaced, value = f"before.{name}", kinds[last[name]]
        inputs[replaced] = before[name].astype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        for node in model.graph.node:
            for index, read in enumerate(node.input):
                if read == value.name:
                    node.input[index] = replaced
        model.graph.output.append(value)
        value.name = replaced
        model.graph.input.append(value)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    running = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(before, running.run([last[name] for name in before], inputs), strict=True))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "resnet20 W3A3": lambda: student("W3A3"),
    "resnet20 W4A8": lambda: student("W4A8"),
    "resnet20 W7A7": lambda: student("W7A7"),
    "resnet20 W8A8": lambda: student("W8A8"),
    "mobilenetv2 W4A4": lambda: student("W4A4", "mobilenetv2_w025"),
    "mobilenetv2 W8A6": lambda: student("W8A6", "mobilenetv2_w025"),
    "learned W4A4": learned_steps,
    "learned W3A8 between 8 bits": lambda: learned_steps("W3A8", 8),
}


@pytest.mark.parametrize("name", MODELS)
def test_codes_on_the_way_are_the_nearest_to_what_the_fake_quantized_model_rounds(name: str) -> None:
    model = MODELS[name]()
    wanted = positions(model, images())
    found = exported_codes(exported(model), images(), {name: wanted[name].round() for name in wanted})
    for quantizer, position in wanted.items():
        assert np.abs(found[quantizer] - position).max() < 0.5 + TIE, quantizer


@pytest.mark.parametrize("name", MODELS)
def test_weights_in_the_file_are_the_integers_of_the_fake_quantized_model(name: str) -> None:
    model = MODELS[name]()
    file = exported(model)
    kept = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load_from_string(file.data).graph.initializer}
    for tensor in (tensor for tensor in describe(model) if tensor.kind == "weight"):
        stored, zero = kept[f"{tensor.name}.codes"], kept[f"{tensor.name}.zero_point"].astype(np.int64)
        assert stored.dtype == np.uint8
        if stored.ndim == 2 and file.forms[tensor.name] == INTEGER:
            stored = stored.T
        assert tensor.codes is not None
        shape = (-1, *[1] * (stored.ndim - 1))
        if file.forms[tensor.name] == SUMS:
            assert (stored[-1] == 1).all()
            stored, zero = stored[:-1], zero + kept[f"{tensor.name}.offset"].reshape(shape)
        point = tensor.zero_point.numpy().reshape(shape) if tensor.zero_point.ndim else tensor.zero_point.numpy()
        assert np.array_equal(stored.astype(np.int64) - zero, tensor.codes.numpy() - point)


def test_every_layer_with_quantized_input_and_weight_is_computed_on_integers() -> None:
    forms = exported(student("W4A4")).forms
    assert {name for name, form in forms.items() if form == FLOAT_INPUT} == {"features.init_block.conv", "output"}
    assert list(forms.values()).count(INTEGER) == 20
    assert set(exported(learned_steps()).forms.values()) == {INTEGER}


def test_eight_bits_with_a_zero_point_per_channel_take_sums_and_depthwise_layers_are_declared_float() -> None:
    assert list(exported(student("W8A8")).forms.values()).count(SUMS) == 20
    forms = exported(student("W8A8", "mobilenetv2_w025")).forms
    depthwise = {name for name, m in network("mobilenetv2_w025").named_modules() if getattr(m, "groups", 1) > 1}
    assert {name for name, form in forms.items() if form == FLOAT_ZEROS} == depthwise
    assert set(exported(learned_steps("W8A8")).forms.values()) == {INTEGER}


@pytest.mark.parametrize(
    ("model", "kernel", "integer", "convolutions"),
    [
        (lambda: student("W4A4"), "onnxruntime int8", 20, 21),
        (learned_steps, "onnxruntime int8", 21, 21),
        (lambda: student("W4A4", "mobilenetv2_w025"), "onnxruntime int8", 35, 54),
        (lambda: student("W8A8", "mobilenetv2_w025"), "onnxruntime mixed", 18, 54),
        (network, "onnxruntime fp32", 0, 21),
    ],
)
def test_a_row_is_called_after_the_kernels_of_its_convolutions(
    model: Callable[[], nn.Module], kernel: str, integer: int, convolutions: int
) -> None:
    found = session.load(exported(model()), 1)
    assert (found.kernel, found.integer, found.convolutions) == (kernel, integer, convolutions)


def test_full_precision_is_written_the_same_way() -> None:
    file = exported(network())
    assert set(file.forms.values()) == {FLOAT_WEIGHT}
    with torch.no_grad():
        wanted = network()(images()).numpy()
    assert np.allclose(session.load(file, 1).run(images().numpy()), wanted, atol=1e-4)


def test_a_file_is_valid_takes_any_batch_and_says_what_it_is() -> None:
    data = export(student(), "resnet20", 10, {"network": "resnet20"}).data
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(data), strict_mode=True, data_prop=True)
    onnx.checker.check_model(model, full_check=True)
    shapes = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in
              (*model.graph.input, *model.graph.output)]  # fmt: skip
    assert shapes == [["N", 3, 32, 32], ["N", 10]]
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["network"] == "resnet20"
    assert json.loads(facts["layers"])["output"] == FLOAT_INPUT
    run, given = session.load(exported(student()), 1).run, images().numpy()
    assert np.allclose(np.concatenate([run(given[i : i + 1]) for i in range(4)]), run(given), atol=1e-5)


def test_equal_models_give_equal_files() -> None:
    assert exported(student("W8A8")).data == exported(student("W8A8")).data


def quantized_conv(weight: torch.Tensor, bits: str) -> nn.Module:
    """A rectified convolution before one of `weight`, whose input is quantized."""
    second = nn.Conv2d(weight.shape[1], len(weight), weight.shape[-1], padding=1)
    with torch.no_grad():
        second.weight.copy_(weight)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    first = nn.Conv2d(3, weight.shape[1], 3)
    return tracked(nn.Sequential(first, nn.ReLU(), second, head).eval(), bits)


def same(model: nn.Module, classes: int = 10) -> bool:
    """Whether a model and its exported form agree up to rounding of sums."""
    with torch.no_grad():
        wanted = model(images()).numpy()
    found = session.load(exported(model, classes), 1).run(images().numpy())
    return np.allclose(found, wanted, atol=1e-3 * np.abs(wanted).max())


@pytest.mark.parametrize("bits", ["W4A4", "W8A4"])
def test_channels_far_from_zero_for_their_span_are_computed_right(bits: str) -> None:
    random = torch.Generator().manual_seed(1)
    weight = torch.randn(10, 4, 3, 3, generator=random)
    weight[3] = 0.6 + 0.001 * weight[3]
    far = quantized_conv(weight, bits)
    assert exported(far).forms["2"] == SUMS
    assert same(far)
    weight[3] = 0.6
    constant = quantized_conv(weight, bits)
    assert exported(constant).forms["2"] == FLOAT_ZEROS
    assert same(constant)


def test_activations_whose_grid_has_no_zero_are_computed_in_float() -> None:
    model = quantized_conv(torch.randn(10, 4, 3, 3, generator=torch.Generator().manual_seed(1)), "W4A4")
    activation = model[1]
    activation.range.lo.fill_(0.5 * (1 - float(activation.range.weight)))
    assert int(describe(model)[1].zero_point) < 0
    assert exported(model).forms["2"] == FLOAT_INPUT
    assert same(model)


@pytest.mark.parametrize("highest", [2.0, 6.0, 30.0])
def test_relu6_is_kept_whatever_range_its_quantizer_has(highest: float) -> None:
    model = tracked(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(), nn.Conv2d(4, 10, 30), nn.Flatten()).eval())
    with torch.no_grad():
        model[0].weight.mul_(20)
    model[1].range.hi.fill_(highest * (1 - float(model[1].range.weight)))
    codes = {name: position.round() for name, position in positions(model, images()).items()}
    assert exported_codes(exported(model), images(), codes)["1"].max() == min(15, round(6 / (highest / 15)))
    assert same(model)


def uneven(channels: int) -> nn.BatchNorm2d:
    """A batch norm that does something."""
    norm = nn.BatchNorm2d(channels)
    random = torch.Generator().manual_seed(channels)
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        assert tensor is not None
        nn.init.uniform_(tensor, 0.5, 2, generator=random)
    return norm


class Block(nn.Module):
    """Batch norm before its convolution, a sum, and functions in place of modules."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.relu, self.conv = uneven(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.add(x, self.conv(self.relu(self.norm(x))))


class Unusual(nn.Module):
    """A network of another package, whose first convolution has a bias before its batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm, self.block = nn.Conv2d(3, 8, 3, stride=2, padding=1), uneven(8), Block()
        self.pool, self.drop, self.output = nn.MaxPool2d(2), nn.Dropout(0.5), nn.Linear(8, 10)
        nn.init.constant_(self.stem.bias, 3.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block(self.block(self.pool(functional.relu(self.norm(self.stem(x))))))
        return self.output(self.drop(x.mean((2, 3))))


def test_networks_of_other_packages_are_exported() -> None:
    assert same(tracked(Unusual().eval()))
    assert same(Unusual().eval())


class Deciding(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sigmoid()), r"no counterpart of 1, Sigmoid\(\)"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular")), "of mode 'circular'"),
        (nn.Sequential(nn.AvgPool2d(3, ceil_mode=True)), "no counterpart of 0, AvgPool2d"),
        (Deciding(), "torch.fx cannot trace its forward pass"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(model: nn.Module, told: str) -> None:
    with pytest.raises(NotExportable, match=told) as caught:
        exported(model.eval())
    assert "\n" not in str(caught.value)


def test_agreement_counts_answers_and_logits_of_codes_that_were_rounded_otherwise() -> None:
    wanted = torch.tensor([[2.0, 1.0], [2.0, 1.0], [1.0, 2.0], [1.0, 2.0]])
    found = torch.tensor([[2.0, 1.0], [2.1, 1.0], [2.0, 1.0], [1.0, 2.00001]])
    labels = torch.tensor([0, 0, 1, 0])
    batches = [(wanted[i : i + 2], labels[i : i + 2]) for i in (0, 2)]
    answers = iter([found[:2].numpy(), found[2:].numpy()])
    got = agreement(nn.Identity(), lambda given: next(answers), batches)
    assert (got.images, got.model, got.exported, got.differ, got.rounded) == (4, 0.75, 0.5, 1, 1)


def test_vnni_is_read_from_the_processors_flags(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    for flags, wanted in (("avx2 avx512_vnni", True), ("avx_vnni fma", True), ("avx2 avx512f", False)):
        info.write_text(f"model name\t: some\nflags\t\t: fpu {flags}\n")
        assert session.vnni(info) is wanted
    assert session.vnni(tmp_path / "none") is False

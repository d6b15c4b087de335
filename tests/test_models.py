"""The networks: layers, names and counts against pytorchcv's, and the registry that builds them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.errors import UnknownName
from bench.models import MODELS, build, check, names
from bench.models.mobilenet import LinearBottleneck, MobileNetV2
from bench.models.registry import ModelPluginInvalid
from bench.models.resnet import ResNet

ROOT = Path(__file__).parents[1]

BN = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def count(network: nn.Module, kind: type) -> int:
    return sum(isinstance(module, kind) for module in network.modules())


def block_keys(prefix: str) -> list[str]:
    return [f"{prefix}.conv.weight", *(f"{prefix}.bn.{name}" for name in BN)]


@pytest.mark.parametrize(
    ("name", "classes", "expected"),
    [
        ("resnet20", 10, 272_474),  # pytorchcv's counts, but for resnet32: He et al.'s 464,154 and 2,752 of shortcuts
        ("resnet20", 100, 278_324),
        ("resnet32", 10, 466_906),
        ("resnet56", 10, 855_770),
        ("resnet56", 100, 861_620),
        ("resnet110", 10, 1_730_714),
        ("resnet110", 100, 1_736_564),
        ("mobilenetv2", 1000, 3_504_960),
        ("mobilenetv2_w075", 1000, 2_627_592),
        ("mobilenetv2_w050", 1000, 1_964_736),
        ("mobilenetv2_w025", 1000, 1_516_392),
    ],
)
def test_parameter_counts_are_pytorchcvs(name: str, classes: int, expected: int) -> None:
    assert parameters(build(name, classes)) == expected


def test_resnet20_has_the_published_layers() -> None:
    network = build("resnet20", 10)
    counts = {kind.__name__: count(network, kind) for kind in (nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Linear)}
    assert counts == {"Conv2d": 21, "BatchNorm2d": 21, "ReLU": 19, "Linear": 1}


def test_resnet20_has_pytorchcvs_names_in_its_order() -> None:
    expected = block_keys("features.init_block")
    for stage in (1, 2, 3):
        for unit in (1, 2, 3):
            prefix = f"features.stage{stage}.unit{unit}"
            expected += block_keys(f"{prefix}.body.conv1") + block_keys(f"{prefix}.body.conv2")
            if stage > 1 and unit == 1:
                expected += block_keys(f"{prefix}.identity_conv")
    assert list(build("resnet20", 10).state_dict()) == [*expected, "output.weight", "output.bias"]


def test_mobilenetv2_has_pytorchcvs_names_in_its_order() -> None:
    expected = block_keys("features.init_block")
    for stage, units in enumerate((1, 2, 3, 7, 4), start=1):
        for unit in range(1, units + 1):
            for conv in (1, 2, 3):
                expected += block_keys(f"features.stage{stage}.unit{unit}.conv{conv}")
    expected += block_keys("features.final_block")
    assert list(build("mobilenetv2_w025", 10).state_dict()) == [*expected, "output.weight"]


@pytest.mark.parametrize("name", ["resnet20", "mobilenetv2", "mobilenetv2_w025"])
def test_logits_and_a_gradient_for_every_parameter(name: str) -> None:
    network = build(name, 7)
    logits = network(torch.randn(2, 3, 32, 32))
    assert logits.shape == (2, 7)
    logits.square().sum().backward()
    without = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert without == []


@pytest.mark.parametrize("name", ["resnet20", "mobilenetv2_w050"])
def test_channels_last_gives_the_same_logits(name: str) -> None:
    network, images = build(name, 10).eval(), torch.randn(2, 3, 32, 32)
    expected = network(images)
    found = network.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_resnet_units_add_the_shortcut_before_the_last_rectifier() -> None:
    unit = build("resnet20", 10).features.stage2.unit1.eval()
    x = torch.randn(1, 16, 8, 8)
    conv1, conv2, shortcut = unit.body.conv1, unit.body.conv2, unit.identity_conv
    inner = conv2.bn(conv2.conv(conv1.bn(conv1.conv(x)).relu()))
    assert torch.equal(unit(x), (inner + shortcut.bn(shortcut.conv(x))).relu())


def test_mobilenetv2_keeps_a_4x4_map_of_a_32x32_image() -> None:
    network = build("mobilenetv2_w025", 10)
    assert network.features[:-1](torch.randn(2, 3, 32, 32)).shape == (2, 1280, 4, 4)
    sizes = {}
    x = torch.randn(2, 3, 32, 32)
    for name, part in network.features[:-2].named_children():
        x = part(x)
        sizes[name] = x.shape[-1]
    assert sizes == {"init_block": 32, "stage1": 32, "stage2": 32, "stage3": 16, "stage4": 8, "stage5": 4}


def test_bottlenecks_are_linear_and_residual_where_shapes_allow() -> None:
    network = build("mobilenetv2", 10)
    assert count(network, nn.ReLU6) == 2 * 17 + 2
    units = [module for module in network.modules() if isinstance(module, LinearBottleneck)]
    assert sum(unit.residual for unit in units) == 10
    assert [isinstance(list(unit.conv3.children())[-1], nn.BatchNorm2d) for unit in units] == [True] * 17
    unit = network.features.stage2.unit2.eval()
    x = torch.randn(1, 24, 4, 4)
    assert torch.equal(unit(x), x + unit.conv3(unit.conv2(unit.conv1(x))))
    assert {unit.conv2.conv.groups == unit.conv2.conv.in_channels for unit in units} == {True}


def test_width_scales_channels_but_not_the_last_below_1280() -> None:
    narrow, wide = MobileNetV2(10, 0.5), MobileNetV2(10, 1.4)
    assert narrow.features.init_block.conv.out_channels == 16
    assert narrow.features.stage5.unit4.conv3.conv.out_channels == 160
    assert narrow.output.in_channels == 1280
    assert wide.features.stage5.unit4.conv3.conv.out_channels == 448
    assert wide.output.in_channels == 1792
    assert parameters(build("mobilenetv2_w140", 10)) == parameters(wide)


@pytest.mark.parametrize("name", ["resnet20", "mobilenetv2_w025"])
def test_convolutions_start_from_he_uniform_and_the_seed_alone(name: str) -> None:
    networks = []
    for _ in range(2):
        torch.manual_seed(3)
        networks.append(build(name, 10))
    for first, second in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert torch.equal(first, second)
    for module in networks[0].modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 1000:
            bound = (6 / (module.in_channels // module.groups * module.kernel_size[0] ** 2)) ** 0.5
            assert 0.98 * bound < module.weight.abs().max() <= bound


@pytest.mark.parametrize("depth", [1, 2, 18, 21])
def test_a_resnet_has_6n_plus_2_layers(depth: int) -> None:
    with pytest.raises(ValueError, match=f"6n \\+ 2 layers, not {depth}"):
        ResNet(depth, 10)


def test_every_listed_name_is_built() -> None:
    for name in MODELS:
        assert build(name, 3)(torch.randn(2, 3, 32, 32)).shape == (2, 3)


def test_an_unlisted_width_is_built() -> None:
    assert check("mobilenetv2_w033") == "mobilenetv2_w033"
    assert build("mobilenetv2_w033", 10).features.init_block.conv.out_channels == 10


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resent20", "did you mean resnet20"),
        ("ResNet-56", "did you mean resnet56"),
        ("mobilenet", "did you mean mobilenetv2"),
        ("mobilenetv2_w100", "width 1 is mobilenetv2"),
        ("mobilenetv2_w009", "mobilenetv2_w010 to mobilenetv2_w200"),
        ("mobilenetv2_w201", "mobilenetv2_w010 to mobilenetv2_w200"),
        ("mobilenetv2_w50", "hundredths"),
        ("vgg", "known: mobilenetv2"),
    ],
)
def test_an_unknown_name_gets_a_hint(name: str, hint: str) -> None:
    for ask in (check, lambda name: build(name, 10)):
        with pytest.raises(UnknownName, match=hint) as caught:
            ask(name)
        assert f"'{name}'" in str(caught.value)


def test_naming_models_imports_no_torch() -> None:
    code = "import sys, bench.models as m; m.names(); m.check('resnet20'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def package(folder: Path, name: str, entry: str, source: str) -> None:
    """An installed distribution with one entry point in the group of networks."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[lowbit_bench.models]\n{entry}\n")
    (folder / f"{name}.py").write_text(source)


LINEAR = "from torch import nn\ndef make(classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, classes))\n"


def test_another_packages_network_is_found_and_imported_only_when_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "linear_plugin", "linear = linear_plugin:make", LINEAR)
    assert "linear" not in names()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert names() == [*MODELS, "linear"]
    assert check("linear") == "linear"
    assert "linear_plugin" not in sys.modules
    assert build("linear", 6)(torch.randn(2, 3, 32, 32)).shape == (2, 6)
    with pytest.raises(UnknownName, match="did you mean linear"):
        build("linaer", 6)


def test_a_network_that_two_packages_offer_is_refused_naming_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one_plugin", "two_plugin"):
        package(tmp_path, name, f"twice = {name}:make", LINEAR)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModelPluginInvalid, match="one_plugin:make of one_plugin and two_plugin:make of two_plugin"):
        build("twice", 6)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_package_anywhere\n", "cannot be imported: No module named 'no_such_package_anywhere'"),
        ("def other(classes): ...\n", "cannot be imported: .*make"),
        ("def make(classes): return 'text'\n", "built a str for model 'broken'"),
    ],
)
def test_a_broken_plugin_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, reason: str) -> None:
    module = f"broken_plugin{abs(hash(source))}"
    package(tmp_path, module, f"broken = {module}:make", source)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModelPluginInvalid, match=f"{module}:make of {module}.*{reason}"):
        build("broken", 6)


def test_a_plugin_does_not_replace_the_projects_own_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "shadow_plugin", "resnet20 = shadow_plugin:make", LINEAR)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert isinstance(build("resnet20", 10), ResNet)
    assert names() == list(MODELS)

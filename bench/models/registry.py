"""Which networks there are, by name; torch and other packages are imported when one is built, not when one is named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench import names as spelling
from bench.errors import BenchError, UnknownName
from bench.plugins import load, offers, origin, sole

if TYPE_CHECKING:
    from torch import nn

MODELS = (
    "resnet20",
    "resnet32",
    "resnet56",
    "resnet110",
    "mobilenetv2",
    "mobilenetv2_w025",
    "mobilenetv2_w050",
    "mobilenetv2_w075",
    "mobilenetv2_w140",
)
"""The project's own networks. `mobilenetv2_wNNN` exists for every width from 010 to 200 hundredths, of which the usual
ones are listed; width 1 has one name, `mobilenetv2`."""

GROUP = "lowbit_bench.models"
"""Entry-point group of other packages' networks: name = "package.module:factory", called with the class count."""


class ModelPluginInvalid(BenchError):
    """A network of another package that cannot be imported, builds no module, or whose name is taken."""


def names() -> list[str]:
    """The project's networks, then those of other packages; imports nothing heavy."""
    return [*MODELS, *sorted(offers(GROUP).keys() - set(MODELS))]


def check(name: str) -> str:
    """Return `name` if `build` knows it; imports nothing heavy.

    Raises:
        UnknownName: with the nearest known names.
    """
    if _width(name):
        return name
    if re.fullmatch(r"mobilenetv2_w\d+", name):
        widths = "widths are mobilenetv2_w010 to mobilenetv2_w200 (hundredths), and width 1 is mobilenetv2"
        raise UnknownName(f"unknown model '{name}'; {widths}")
    return spelling.check("model", name, names())


def build(name: str, classes: int) -> nn.Module:
    """A new full-precision network, initialised from torch's global random stream, in train mode.

    Args:
        name: one of `names()`, or `mobilenetv2_wNNN`. classes: length of the logits.

    Raises:
        UnknownName: with the nearest known names.
        ModelPluginInvalid: if another package's network cannot be had.
    """
    check(name)
    if width := _width(name):
        from bench.models.mobilenet import MobileNetV2

        return MobileNetV2(classes, width)
    if name in MODELS:
        from bench.models.resnet import ResNet

        return ResNet(int(name.removeprefix("resnet")), classes)
    return _from_plugin(name, classes)


def _width(name: str) -> float | None:
    """Width multiplier in a name of the form mobilenetv2 or mobilenetv2_wNNN, or None."""
    if name == "mobilenetv2":
        return 1.0
    match = re.fullmatch(r"mobilenetv2_w([0-9]{3})", name)
    width = int(match[1]) / 100 if match else 0.0
    return width if 0.1 <= width <= 2 and width != 1 else None


def _from_plugin(name: str, classes: int) -> nn.Module:
    from torch import nn

    points = offers(GROUP)[name]
    sole("model", name, map(origin, points), ModelPluginInvalid)
    network = load("model", points[0], ModelPluginInvalid)(classes)
    if not isinstance(network, nn.Module):
        kind = type(network).__name__
        raise ModelPluginInvalid(f"{origin(points[0])} built a {kind} for model '{name}', not a torch module")
    return network

"""Operations without quantized weights, in float32."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional

from bench.export.folding import affine
from bench.export.graph import Graph

ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")
RECTIFIERS = (torch.relu, functional.relu, "relu", "relu_")
FLATTENERS = (torch.flatten, "flatten")
MEANS = (torch.mean, "mean")


def module(graph: Graph, name: str, layer: nn.Module, given: str) -> str | None:
    """A module of torch, or None where it has no counterpart."""
    match layer:
        case nn.Identity() | nn.Dropout() | nn.Dropout2d():
            return given
        case nn.ReLU():
            return graph.add("Relu", [given], name)
        case nn.ReLU6():
            bounds = [graph.constant(f"float.{bound}", np.float32(bound)) for bound in (0, 6)]
            return graph.add("Clip", [given, *bounds], name)
        case nn.BatchNorm2d():
            factor, summand = (values.reshape(-1, 1, 1).astype(np.float32) for values in affine(layer))
            scaled = graph.add("Mul", [given, graph.constant(f"{name}.factor", factor)], f"{name}.scaled")
            return graph.add("Add", [scaled, graph.constant(f"{name}.summand", summand)], name)
        case nn.AvgPool2d(ceil_mode=False, divisor_override=None):
            counted = int(layer.count_include_pad)
            return graph.add("AveragePool", [given], name, **_window(layer), count_include_pad=counted)
        case nn.MaxPool2d(ceil_mode=False, dilation=1):
            return graph.add("MaxPool", [given], name, **_window(layer))
        case nn.AdaptiveAvgPool2d(output_size=1 | (1, 1)):
            return graph.add("GlobalAveragePool", [given], name)
        case nn.Flatten(start_dim=1, end_dim=-1):
            return graph.add("Flatten", [given], name, axis=1)
    return None


def called(graph: Graph, node: fx.Node, real: Callable[[fx.Node], str]) -> str | None:
    """A function or method that is called, or None where it has no counterpart.

    Args:
        real: gives the name of the real numbers of an operation before.
    """
    given = [argument for argument in node.args if isinstance(argument, fx.Node)]
    if not given:
        return None
    rest, names = tuple(node.args[len(given) :]), [real(argument) for argument in given]
    if node.target in ADDITIONS and len(given) == 2 and not rest and not node.kwargs:
        return graph.add("Add", names, node.name)
    if len(given) > 1:
        return None
    if node.target in RECTIFIERS:
        return graph.add("Relu", names, node.name)
    if node.target in FLATTENERS and rest in ((1,), (1, -1)) and not node.kwargs:
        return graph.add("Flatten", names, node.name, axis=1)
    if node.target in MEANS and len(rest) == 1 and node.kwargs.keys() <= {"keepdim"}:
        axes = graph.constant(f"{node.name}.axes", np.array(rest[0], np.int64).reshape(-1))
        return graph.add("ReduceMean", [*names, axes], node.name, keepdims=int(bool(node.kwargs.get("keepdim"))))
    return None


def _window(layer: nn.AvgPool2d | nn.MaxPool2d) -> dict[str, list[int]]:
    kernel, stride, padding = (
        list(size) if isinstance(size, tuple) else [size, size]
        for size in (layer.kernel_size, layer.stride, layer.padding)
    )
    return {"kernel_shape": kernel, "strides": stride, "pads": padding * 2}

"""Values on their way through a graph: real numbers, the codes of an activation quantizer, or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from bench.export.graph import Graph
from bench.quant.describe import QuantizedTensor
from bench.quant.grid import levels

SIGNED_BITS = 6
"""Widths up to this one are kept in signed bytes, which kernels multiply fastest; see docs/latency.md."""


@dataclass(frozen=True)
class Codes:
    """A tensor of bytes: a value is step * (code - point).

    Attributes:
        tensor, scale, zero: names in the graph, of the codes and of `step` and `point`.
    """

    tensor: str
    scale: str
    zero: str
    step: float
    point: int


@dataclass
class Value:
    """What one operation gives. At least one of `real`, a name, and `codes` is not None."""

    real: str | None = None
    codes: Codes | None = None

    def float_in(self, graph: Graph) -> str:
        """The name of its real numbers, made of its codes where a graph has only these so far.

        Without DequantizeLinear: where that is before a float32 convolution and a quantizer behind it, onnxruntime
        quantizes the convolution's weight anew.
        """
        if self.real is None:
            assert self.codes is not None
            codes, name = self.codes, self.codes.tensor.removesuffix(".codes")
            whole = graph.add("Cast", [codes.tensor], f"{name}.float", to=graph.onnx.TensorProto.FLOAT)
            if codes.point:
                point = graph.constant(f"{name}.zero_point.float", np.float32(codes.point))
                whole = graph.add("Sub", [whole, point], f"{name}.steps")
            self.real = graph.add("Mul", [whole, codes.scale], f"{name}.values")
        return self.real


def quantized(graph: Graph, given: str, grid: QuantizedTensor, function: nn.Module | None = None) -> Value:
    """`given` on the grid of an activation quantizer, after `function` (ReLU, ReLU6 or none), which clips codes too.

    As rounding never changes an order, clipping the codes is the same as clipping what they are rounded from.
    """
    step, zero, top = float(grid.scale), int(grid.zero_point), levels(grid.bits)
    lowest, highest = _clip(function, step, zero, top)
    scale = graph.constant(f"{grid.name}.scale", np.float32(step))
    if not 0 <= zero <= top:
        return Value(real=_rounded(graph, given, grid.name, scale, lowest - zero, highest - zero))
    kind = np.int8 if grid.bits <= SIGNED_BITS else np.uint8
    point = graph.constant(f"{grid.name}.zero_point", kind(zero))
    codes = graph.add("QuantizeLinear", [given, scale, point], f"{grid.name}.codes")
    if (lowest, highest) != (np.iinfo(kind).min, np.iinfo(kind).max):
        bounds = [graph.constant(f"{kind.__name__}.{bound}", kind(bound)) for bound in (lowest, highest)]
        codes = graph.add("Clip", [codes, *bounds], f"{grid.name}.clipped.codes")
    return Value(codes=Codes(codes, scale, point, step, zero))


def _clip(function: nn.Module | None, step: float, zero: int, top: int) -> tuple[int, int]:
    """Lowest and highest code that a quantizer gives after a function."""
    if function is None:
        return 0, top
    highest = top if isinstance(function, nn.ReLU) else min(top, round(float(np.float32(6) / np.float32(step))) + zero)
    return min(max(0, zero), top), highest


def _rounded(graph: Graph, given: str, name: str, scale: str, lowest: int, highest: int) -> str:
    """Real numbers on a grid without zero, which no padding of codes could stand for."""
    bounds = [graph.constant(f"{name}.{bound}", np.float32(bound)) for bound in (lowest, highest)]
    whole = graph.add("Round", [graph.add("Div", [given, scale], f"{name}.steps")], f"{name}.rounded")
    return graph.add("Mul", [graph.add("Clip", [whole, *bounds], f"{name}.whole"), scale], f"{name}.values")

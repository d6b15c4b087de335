"""Convolutions and linear layers with the batch norm behind them: on integers where they can be, else in float32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn

from bench.export.folding import folded, numbers
from bench.export.graph import Graph
from bench.export.trace import NotExportable
from bench.export.values import Codes, Value
from bench.export.weights import Integers, column
from bench.quant.describe import QuantizedTensor

INTEGER = "integer"
SUMS = "integer, less the sum of its inputs: its channels' zero points differ too much for one byte"
FLOAT_ZEROS = "float32: its channels' zero points differ too much for one byte"
FLOAT_INPUT = "float32: its input is not quantized"
FLOAT_WEIGHT = "float32: its weight is not quantized"

Product = nn.Conv2d | nn.Linear


@dataclass
class Products:
    """Writes convolutions and linear layers into a graph.

    Attributes:
        weights: descriptions of quantized weights, by name. forms: of each layer written so far, what computes it.
    """

    graph: Graph
    weights: Mapping[str, QuantizedTensor]
    forms: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, layer: Product, given: Value, norm: nn.BatchNorm2d | None) -> Value:
        """A layer of an input, and the batch norm of its output folded into it.

        Raises:
            NotExportable: for a convolution that pads with anything but so many zeros.
        """
        if isinstance(layer, nn.Conv2d) and (layer.padding_mode != "zeros" or isinstance(layer.padding, str)):
            told = f"padding {layer.padding!r} of mode {layer.padding_mode!r}"
            raise NotExportable(f"{name} cannot be exported: {told}; only numbers of zeros can")
        kept = Integers.of(self.weights[name]) if name in self.weights else None
        factor, shift = folded(layer, norm)
        form = self.forms[name] = _form(layer, given, kept)
        if kept and given.codes and form in (INTEGER, SUMS):
            return Value(self._integer(name, layer, given.codes, kept, factor, shift))
        weight = self._made(name, kept, factor) if kept else self._plain(name, layer, factor)
        return Value(self._real(name, layer, [given.float_in(self.graph), weight], shift))

    def _integer(
        self, name: str, layer: Product, given: Codes, kept: Integers, factor: np.ndarray, shift: np.ndarray
    ) -> str:
        """Products of integers; the scales of input, weight and batch norm come after them in one multiplication."""
        stored = kept.stored if kept.offset is None else kept.with_sums()
        weight = self.graph.constant(f"{name}.codes", stored if isinstance(layer, nn.Conv2d) else stored.T)
        zero = self.graph.constant(f"{name}.zero_point", np.uint8(kept.zero))
        inputs = [given.tensor, weight, given.zero, zero]
        if isinstance(layer, nn.Conv2d):
            whole = self.graph.add("ConvInteger", inputs, f"{name}.integers", **_geometry(layer))
        else:
            whole = self.graph.add("MatMulInteger", inputs, f"{name}.integers")
        if kept.offset is not None:
            whole = self._less_sums(name, layer, whole, kept.offset)
        scale = self.graph.constant(f"{name}.scale", (kept.scale * given.step * factor).astype(np.float32))
        real = self.graph.add("DequantizeLinear", [whole, scale], f"{name}.scaled", axis=1)
        return self.graph.add("Add", [real, self._channels(f"{name}.bias", layer, shift.astype(np.float32))], name)

    def _less_sums(self, name: str, layer: Product, whole: str, offset: np.ndarray) -> str:
        """Products of codes, less each channel's zero point times the sum of the inputs, in int32 (N, O, ...)."""
        sizes = self.graph.constant(f"{name}.sizes", np.array([len(offset), 1], np.int64))
        products, sums = self.graph.split(whole, sizes, [f"{name}.products", f"{name}.sums"])
        offsets = self._channels(f"{name}.offset", layer, offset.astype(np.int32))
        excess = self.graph.add("Mul", [sums, offsets], f"{name}.excess")
        return self.graph.add("Sub", [products, excess], f"{name}.less")

    def _real(self, name: str, layer: Product, inputs: list[str], shift: np.ndarray) -> str:
        bias = self.graph.constant(f"{name}.bias", shift.astype(np.float32))
        if isinstance(layer, nn.Linear):
            return self.graph.add("Gemm", [*inputs, bias], name, transB=1)
        return self.graph.add("Conv", [*inputs, bias], name, **_geometry(layer))

    def _made(self, name: str, kept: Integers, factor: np.ndarray) -> str:
        """A float32 weight, made of its integers by whoever loads the file."""
        kinds, size = self.graph.onnx.TensorProto, kept.stored.ndim
        codes = self.graph.constant(f"{name}.codes", kept.stored)
        zeros = self.graph.constant(f"{name}.zero_point", column(kept.zeros, size))
        scale = self.graph.constant(f"{name}.scale", column(kept.scale * factor, size).astype(np.float32))
        whole = self.graph.add("Cast", [codes], f"{name}.codes.int64", to=kinds.INT64)
        whole = self.graph.add("Sub", [whole, zeros], f"{name}.integers")
        real = self.graph.add("Cast", [whole], f"{name}.integers.float", to=kinds.FLOAT)
        return self.graph.add("Mul", [real, scale], f"{name}.weight")

    def _plain(self, name: str, layer: Product, factor: np.ndarray) -> str:
        scaled = numbers(layer.weight) * column(factor, layer.weight.ndim)
        return self.graph.constant(f"{name}.weight", scaled.astype(np.float32))

    def _channels(self, name: str, layer: Product, values: np.ndarray) -> str:
        """A number for each channel, to go with outputs (N, O, H, W) or (N, O)."""
        return self.graph.constant(name, values.reshape(-1, 1, 1) if isinstance(layer, nn.Conv2d) else values)


def _form(layer: Product, given: Value, kept: Integers | None) -> str:
    if kept is None:
        return FLOAT_WEIGHT
    if given.codes is None:
        return FLOAT_INPUT
    if kept.offset is None:
        return INTEGER
    grouped = isinstance(layer, nn.Conv2d) and layer.groups > 1
    return SUMS if kept.summable and not grouped else FLOAT_ZEROS


def _geometry(layer: nn.Conv2d) -> dict[str, Any]:
    return {
        "kernel_shape": list(layer.kernel_size),
        "strides": list(layer.stride),
        "pads": [*layer.padding, *layer.padding],
        "dilations": list(layer.dilation),
        "group": layer.groups,
    }

"""An ONNX graph under construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench import __version__
from bench.extras import package

OPSET, IR = 21, 10
"""Versions of the operators and of the file format."""

IMAGE = (3, 32, 32)
INPUT, OUTPUT = "images", "logits"


class Graph:
    """Nodes and constants in the order in which they were added; every name is a value's."""

    def __init__(self) -> None:
        self.onnx = package("onnx", "export", "exporting")
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.names = {INPUT, OUTPUT}

    def constant(self, name: str, value: Any) -> str:
        """A constant tensor; equal names are one constant."""
        if name not in self.constants:
            array = np.ascontiguousarray(value)
            self.constants[name] = self.onnx.numpy_helper.from_array(array.reshape(np.shape(value)), name)
        return name

    def add(self, operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """A node with one output, which `name` names: with a number behind it where the name is taken."""
        return self._add(operator, inputs, [name], attributes)[0]

    def split(self, whole: str, sizes: str, names: Sequence[str]) -> list[str]:
        """Parts of a tensor's channels (axis 1)."""
        return self._add("Split", [whole, sizes], names, {"axis": 1})

    def _add(
        self, operator: str, inputs: Sequence[str], names: Sequence[str], attributes: Mapping[str, Any]
    ) -> list[str]:
        outputs = [self._free(name) for name in names]
        self.nodes.append(self.onnx.helper.make_node(operator, list(inputs), outputs, outputs[0], **attributes))
        return outputs

    def _free(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.names:
            name, number = f"{wanted}.{number}", number + 1
        self.names.add(name)
        return name

    def model(self, output: str, classes: int, facts: Mapping[str, str]) -> Any:
        """The checked model: images (N, 3, 32, 32) float32 to logits (N, classes), for any N.

        Args:
            output: the value that is the logits. facts: metadata, by name.

        Raises:
            onnx.checker.ValidationError, onnx.shape_inference.InferenceError: if the graph is not valid.
        """
        helper, kind = self.onnx.helper, self.onnx.TensorProto.FLOAT
        last = helper.make_node("Identity", [output], [OUTPUT], OUTPUT)
        graph = helper.make_graph(
            [*self.nodes, last],
            "network",
            [helper.make_tensor_value_info(INPUT, kind, ["N", *IMAGE])],
            [helper.make_tensor_value_info(OUTPUT, kind, ["N", classes])],
            list(self.constants.values()),
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR,
            producer_name="lowbit-bench",
            producer_version=__version__,
        )
        helper.set_model_props(model, dict(facts))
        self.onnx.checker.check_model(model, full_check=True)
        return model

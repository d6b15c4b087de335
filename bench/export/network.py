"""A network as an ONNX graph, operation by operation."""

from __future__ import annotations

from torch import fx, nn

from bench.export import plain
from bench.export.graph import INPUT, Graph
from bench.export.products import Products
from bench.export.trace import NotExportable, trace
from bench.export.values import Value, quantized
from bench.quant.describe import describe
from bench.quant.layers import QuantizedActivation
from bench.quant.learned import LearnedWeight


class Writer:
    """Writes a network, quantized or not, into a graph.

    Attributes:
        graph: what is written. products: the convolutions and linear layers among it.
        grids: descriptions of the activation quantizers, by name.
    """

    def __init__(self, model: nn.Module, name: str) -> None:
        """`name` of the network, for messages."""
        self.model, self.name = model, name
        self.graph = Graph()
        found = describe(model)
        self.grids = {tensor.name: tensor for tensor in found if tensor.kind == "activation"}
        self.products = Products(self.graph, {tensor.name: tensor for tensor in found if tensor.kind == "weight"})
        self.values: dict[fx.Node, Value] = {}

    def write(self) -> str:
        """Write all of it; returns the name of the logits.

        Raises:
            NotExportable: naming the first operation that has no counterpart.
        """
        nodes = trace(self.model, self.name).nodes
        for node in nodes:
            if node.op != "output" and node not in self.values:
                self.values[node] = self._value(node)
        logits = next(reversed(nodes)).args[0]
        if not isinstance(logits, fx.Node):
            raise NotExportable(f"{self.name} cannot be exported: it gives {logits} instead of logits alone")
        return self._real(logits)

    def _value(self, node: fx.Node) -> Value:
        if node.op == "placeholder":
            return Value(INPUT)
        if node.op == "call_module":
            return self._module(node, self.model.get_submodule(str(node.target)))
        written = plain.called(self.graph, node, self._real) if node.op.startswith("call_") else None
        return Value(self._known(written, node.format_node() or node.name))

    def _module(self, node: fx.Node, module: nn.Module) -> Value:
        name, source = str(node.target), node.args[0]
        assert isinstance(source, fx.Node)
        given = self.values[source]
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            return self._product(node, name, module, given)
        if isinstance(module, QuantizedActivation):
            return quantized(self.graph, given.float_in(self.graph), self.grids[name], module.function)
        written = plain.module(self.graph, name, module, given.float_in(self.graph))
        return Value(self._known(written, f"{name}, {module}"))

    def _product(self, node: fx.Node, name: str, layer: nn.Conv2d | nn.Linear, given: Value) -> Value:
        """A layer, whose batch norm then has the same value."""
        if isinstance(layer, LearnedWeight):
            given = quantized(self.graph, given.float_in(self.graph), self.grids[f"{name}.input"])
        behind = next(iter(node.users)) if len(node.users) == 1 else node
        norm = self.model.get_submodule(str(behind.target)) if behind.op == "call_module" else None
        if not isinstance(norm, nn.BatchNorm2d):
            return self.products.write(name, layer, given, None)
        self.values[behind] = self.products.write(name, layer, given, norm)
        return self.values[behind]

    def _real(self, node: fx.Node) -> str:
        return self.values[node].float_in(self.graph)

    def _known(self, written: str | None, what: str) -> str:
        if written is None:
            raise NotExportable(f"{self.name} cannot be exported: there is no counterpart of {what}")
        return written

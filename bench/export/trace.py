"""What a network computes, as a list of operations."""

from __future__ import annotations

from torch import fx, nn

from bench.errors import BenchError
from bench.quant.layers import Quantizer


class NotExportable(BenchError):
    """A network with an operation that has no counterpart in an exported model."""


class _Tracer(fx.Tracer):
    """Keeps quantized layers whole."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Quantizer) or super().is_leaf_module(m, module_qualified_name)


def trace(model: nn.Module, name: str) -> fx.Graph:
    """The operations of a network's forward pass; torch's own and quantized layers are one operation each.

    Args:
        name: of the network, for the message.

    Raises:
        NotExportable: if its forward pass decides anything by values that it computes.
    """
    try:
        return _Tracer().trace(model)
    except Exception as error:  # a foreign forward pass may fail in any way
        reason = " ".join(str(error).split())[:200]
        raise NotExportable(f"{name} cannot be exported: torch.fx cannot trace its forward pass ({reason})") from error

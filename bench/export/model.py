"""Exported models: the integers of a quantized model, or a full-precision model, as one ONNX file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from bench.export.network import Writer
from bench.measure.stored import Stored


@dataclass(frozen=True)
class Exported:
    """An ONNX file's content.

    Attributes:
        data: the file. quantized: whether it is of a quantized model.
        forms: what computes each convolution and linear layer, by its name; see `products`.
    """

    data: bytes
    quantized: bool
    forms: dict[str, str]


def integer(stored: Stored) -> Exported:
    """A cell's quantized model with its weights' own integers.

    Raises:
        NotExportable: if an operation of the network has no counterpart. MissingExtra: if onnx is not installed.
    """
    record = stored.record
    facts = {"cell": record.id, "method": record.cell.method, "bits": str(record.cell.bits), "packed": stored.packed}
    return _with_card(stored, stored.model, facts)


def full(stored: Stored) -> Exported:
    """The full-precision model that a cell started from, written the same way.

    Raises:
        NotExportable, MissingExtra: as `integer`.
    """
    return _with_card(stored, stored.full, {"weights": stored.init.card.sha256})


def export(model: nn.Module, name: str, classes: int, facts: Mapping[str, str]) -> Exported:
    """A network in eval mode, quantized or not, of images (N, 3, 32, 32) to logits (N, classes).

    Args:
        name: of the network, for messages. facts: metadata of the file; `layers` is added to it, the JSON of `forms`.

    Raises:
        NotExportable, MissingExtra: as `integer`.
    """
    writer = Writer(model, name)
    logits, forms = writer.write(), writer.products.forms
    written = writer.graph.model(logits, classes, {**facts, "layers": json.dumps(forms)})
    return Exported(written.SerializeToString(deterministic=True), bool(writer.grids), forms)


def _with_card(stored: Stored, model: nn.Module, facts: Mapping[str, str]) -> Exported:
    """With what a user needs to know of the images: the data set, and the mean and deviation of their pixels."""
    card = stored.init.card
    images = {"dataset": card.dataset, "mean": json.dumps(card.mean), "std": json.dumps(card.std)}
    return export(model, card.model, card.classes, {"network": card.model, **images, **facts})

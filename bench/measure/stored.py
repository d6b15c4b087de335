"""Models of stored cells, made again from a results folder alone: no data, no training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from bench.errors import ModelCorrupt, ModelMissing
from bench.models import card as cards
from bench.models import weights
from bench.models.registry import build
from bench.models.teachers import Teacher
from bench.quant.pack import pack
from bench.quant.unpack import unpack
from bench.records import Record


@dataclass(frozen=True)
class Stored:
    """A cell's quantized model beside the full-precision model it started from, both on the CPU in eval mode.

    Attributes:
        init: the full-precision model's store. packed: fingerprint of the packed tensors.
    """

    record: Record
    model: nn.Module
    packed: str
    full: nn.Module
    init: Teacher


def stored(results: Path, record: Record) -> Stored:
    """Both models of a quantized cell's record.

    That the model is the record's is known from its activation ranges, and that nothing was lost from packing it
    again. The latent weights, whose fingerprint the record has, are not stored.

    Raises:
        ModelMissing: if packed weights or the full-precision model are not in the results folder.
        ModelCorrupt: if either is damaged or of another model.
    """
    path = weights_path(results, record)
    init = full_precision(results, record)
    packed = weights.read(path)
    bits = record.cell.bits
    try:
        model = unpack(partial(build, record.cell.model, init.card.classes), packed, bits, record.result["ranges"])
    except ModelCorrupt as error:
        raise ModelCorrupt(f"{path}: {error}") from error
    fingerprint = weights.fingerprint(packed)
    if weights.fingerprint(pack(model)) != fingerprint:
        raise ModelCorrupt(f"{path} holds weights that do not come back when they are packed again; copy it again")
    return Stored(record, _laid_out(model), fingerprint, _laid_out(init.network(init.card.classes)), init)


def weights_path(results: Path, record: Record) -> Path:
    """Where the packed weights of a record lie.

    Raises:
        ModelMissing: if they are not there.
    """
    name = record.run.get("weights_file")
    if not name or not (results / name).is_file():
        raise ModelMissing(f"{record.cell.label} ({record.id[:16]}): its weights are not in {results}; run it again")
    return results / name


def full_precision(results: Path, record: Record) -> Teacher:
    """The stored full-precision model that a record's student started from.

    Raises:
        ModelMissing: if none of the results folder has its weights. ModelCorrupt: if a card is damaged.
    """
    return teacher_of(results, record.cell.init, record.cell.label)


def teacher_of(results: Path, sha256: str, wanted_by: str) -> Teacher:
    """The stored full-precision model of these weights.

    Args:
        wanted_by: for the message.

    Raises:
        ModelMissing, ModelCorrupt: as `full_precision`.
    """
    folder = results / "teachers"
    for path in sorted(folder.glob("*.safetensors")):
        card = path.with_suffix(".json")
        if card.is_file() and (found := cards.read(card)).sha256 == sha256:
            return Teacher(found, path)
    raise ModelMissing(f"{wanted_by}: the full-precision model {sha256[:12]} is not in {folder}")


def _laid_out(model: nn.Module) -> nn.Module:
    """In the memory format of evaluation."""
    return model.to(memory_format=torch.channels_last)

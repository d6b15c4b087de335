"""Digests of nested values, so that runs can be compared bit for bit without keeping their tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

Digests = dict[str, str]
"""sha256 by the place of a tensor or plain value in a nest of mappings and sequences."""


def digests(value: Any, name: str = "") -> Digests:
    """The digest of every tensor and plain value in `value`, type and shape included."""
    if isinstance(value, Mapping):
        return _merged((f"{name}.{key}" if name else str(key), item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return _merged((f"{name}[{index}]", item) for index, item in enumerate(value))
    return {name: hashlib.sha256(_bytes(value)).hexdigest()}


def unequal(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Places at which two sets of digests differ, in the order of `one`."""
    return [place for place in {**one, **other} if one.get(place) != other.get(place)]


def _merged(items: Iterable[tuple[str, Any]]) -> Digests:
    return {place: digest for name, item in items for place, digest in digests(item, name).items()}


def _bytes(value: Any) -> bytes:
    if not isinstance(value, Tensor):
        return repr(value).encode()
    plain = value.detach().cpu().contiguous()
    return f"{plain.dtype}{tuple(plain.shape)}".encode() + plain.view(-1).view(torch.uint8).numpy().tobytes()

"""Remembering what was made of tensors for as long as they stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from torch import Tensor

Made = TypeVar("Made")


class Memo(Generic[Made]):
    """What was made of some tensors, made again only once one of them was replaced or changed in place."""

    def __init__(self) -> None:
        self._of: list[tuple[Tensor, int]] = []

    def get(self, tensors: Iterable[Tensor], make: Callable[[], Made]) -> Made:
        """What `make` makes of `tensors`."""
        now = [(tensor, tensor._version) for tensor in tensors]
        if not now or len(now) != len(self._of) or any(a is not b or v != w for (a, v), (b, w) in zip(now, self._of)):
            self._made, self._of = make(), now
        return self._made

"""Remembering what was made of tensors for as long as they stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from torch import Tensor

Made = TypeVar("Made")


class Memo(Generic[Made]):
    """What was made of some tensors, made again only once one of them was replaced or changed in place.

    Not for parameters: torch's fused optimisers change them without its counters of changes seeing it.
    """

    def __init__(self) -> None:
        self._of: tuple[Tensor, ...] = ()
        self._versions: list[int] = []

    def __deepcopy__(self, memo: dict[int, object]) -> Memo[Made]:
        """Nothing: tensors of a copy begin to count their changes anew."""
        return Memo()

    def get(self, tensors: tuple[Tensor, ...], make: Callable[[], Made]) -> Made:
        """What `make` makes of `tensors`, of which there is at least one."""
        versions = [tensor._version for tensor in tensors]
        if versions != self._versions or any(a is not b for a, b in zip(tensors, self._of, strict=True)):
            self._made, self._of, self._versions = make(), tensors, versions
        return self._made

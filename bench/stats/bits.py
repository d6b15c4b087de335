"""Which test images a trained model has right: the bits that records keep, as arrays."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from bench.errors import RecordInvalid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def unpacked(packed: str, images: int) -> NDArray[np.bool_]:
    """The field `correct` of a result as booleans, shape (images,), in the canonical order of the test images.

    Raises:
        RecordInvalid: if it does not hold one bit for each image.
    """
    import numpy as np

    try:
        data = np.frombuffer(base64.b64decode(packed, validate=True), dtype=np.uint8)
    except (binascii.Error, ValueError) as error:
        raise RecordInvalid(f"correct is not base64 of bits: {error}") from error
    if len(data) != -(-images // 8) or np.unpackbits(data)[images:].any():
        raise RecordInvalid(f"correct has {len(data)} bytes and does not hold {images} bits")
    return np.unpackbits(data, count=images).astype(bool)


def discordant(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[int, int]:
    """Images that only the second model has right, and that only the first has: what `mcnemar` takes.

    Raises:
        ValueError: if they were not tested on the same images.
    """
    if first.shape != second.shape:
        raise ValueError(f"models tested on {first.size} and {second.size} images; give two on the same")
    return int((second & ~first).sum()), int((first & ~second).sum())

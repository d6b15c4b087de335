"""The integers of a quantized weight, as the kernels for integers take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.quant.describe import QuantizedTensor

BYTE = 255
INT32 = 2**31


@dataclass(frozen=True)
class Integers:
    """The integers of one weight: a value is scale * (stored - zero - offset), with a scale for each channel.

    Attributes:
        stored: uint8 (O, I, ...). zero: what all channels subtract, in 0 .. 255.
        offset: int64 (O,): what each channel subtracts besides, or None where that is nothing.
        scale: float64 (O,).
    """

    stored: np.ndarray
    zero: int
    offset: np.ndarray | None
    scale: np.ndarray

    @classmethod
    def of(cls, weight: QuantizedTensor) -> Integers:
        """Bytes with one zero point where the integers (code - zero point) of all channels fit, else the codes.

        They fit up to 7 bits where each channel's range has zero in it, and at 8 bits where all channels' zero points
        are equal.
        """
        assert weight.codes is not None
        codes = weight.codes.cpu().numpy().astype(np.int64)
        zeros = np.broadcast_to(weight.zero_point.cpu().numpy().astype(np.int64), len(codes))
        scale = np.broadcast_to(weight.scale.detach().cpu().double().numpy(), len(codes))
        integers = codes - column(zeros, codes.ndim)
        lowest, highest = min(int(integers.min()), 0), max(int(integers.max()), 0)
        if highest - lowest <= BYTE:
            return cls((integers - lowest).astype(np.uint8), -lowest, None, scale)
        return cls(codes.astype(np.uint8), 0, zeros, scale)

    @property
    def summable(self) -> bool:
        """Whether 32 bits hold every product of a channel, and its offset times the sum of the inputs."""
        offset = 0 if self.offset is None else int(np.abs(self.offset).max())
        return self.stored[0].size * BYTE * (BYTE + offset) < INT32

    @property
    def zeros(self) -> np.ndarray:
        """What each channel subtracts in all, int64 (O,)."""
        zeros = np.full(len(self.scale), self.zero, np.int64)
        return zeros if self.offset is None else zeros + self.offset

    def with_sums(self) -> np.ndarray:
        """`stored` and a channel of ones behind it, whose products are the sums of the inputs."""
        return np.concatenate([self.stored, np.ones_like(self.stored[:1])])


def column(values: np.ndarray, dimensions: int) -> np.ndarray:
    """(O,) as (O, 1, ...) of so many dimensions."""
    return values.reshape(-1, *[1] * (dimensions - 1))

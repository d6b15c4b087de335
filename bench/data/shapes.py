"""Procedural stand-ins for CIFAR: `shapes10` (ten outlines) and `shapes100` (ten outlines on ten grounds).

Each 32x32 image shows one figure of random place, size, rotation and colour on a patterned ground of two colours,
under confetti, a gradient of light and noise. Colours, and in `shapes10` the pattern of the ground, say nothing of
the class. Labels survive horizontal flips and small shifts, so the usual augmentation applies.

The images are the same bits everywhere: numpy's frozen `RandomState` draws integers, and only integers are computed
with.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np

SIDE = 32
SIZES = {"shapes10": {"train": 10_000, "test": 2_000}, "shapes100": {"train": 20_000, "test": 2_000}}
SEEDS = {"train": 20_200, "test": 20_201}

SUB = 8
"""Units per pixel in which places and radii are drawn."""
RADII = (3 * SUB, 13 * SUB)
CONTRAST = 24
"""Least difference of figure and ground in each channel, of 256."""
RELIEF = 24
"""Difference of the ground's two colours in each channel."""
NOISE = 32
"""Largest change of a channel by noise."""
CONFETTI = 4
"""Patches of up to 5x5 pixels thrown over each image."""

UNIT = 256
"""A figure's radius in the coordinates in which its outline is written."""
SINE = np.array([round(4096 * math.sin(math.radians(degree))) for degree in range(360)], dtype=np.int32)
COSINE = np.roll(SINE, -90)

Plane = np.ndarray
"""int32 or bool (N, H, W), or of a shape that broadcasts to it."""


def _disc(u: Plane, v: Plane, radius: int = 215) -> Plane:
    return u * u + v * v < radius * radius


def _ring(u: Plane, v: Plane) -> Plane:
    return _disc(u, v, 230) & ~_disc(u, v, 130)


def _square(u: Plane, v: Plane, half: int = 185) -> Plane:
    return np.maximum(abs(u), abs(v)) < half


def _frame(u: Plane, v: Plane) -> Plane:
    return _square(u, v, 195) & ~_square(u, v, 105)


def _sides(u: Plane, v: Plane, count: int, distance: int) -> Plane:
    """How many of `count` evenly turned half-planes, `distance` from the centre, hold each point."""
    turns = range(0, 360, 360 // count)
    return sum((u * COSINE[turn] + v * SINE[turn] < distance * 4096).astype(np.int32) for turn in turns)


def _triangle(u: Plane, v: Plane) -> Plane:
    return _sides(u, v, 3, 125) == 3


def _star(u: Plane, v: Plane) -> Plane:
    return _sides(u, v, 5, 85) >= 4


def _plus(u: Plane, v: Plane) -> Plane:
    return (np.minimum(abs(u), abs(v)) < 70) & _square(u, v, 225)


def _bar(u: Plane, v: Plane) -> Plane:
    return (abs(u) < 250) & (abs(v) < 85)


def _crescent(u: Plane, v: Plane) -> Plane:
    return _disc(u, v, 235) & ~_disc(u - 110, v, 190)


def _ell(u: Plane, v: Plane) -> Plane:
    return _square(u, v, 195) & ~((u > -60) & (v > -60))


Drawing = Callable[[Plane, Plane], Plane]

OUTLINES: tuple[Drawing, ...] = (
    _disc, _ring, _square, _frame, _triangle, _star, _plus, _bar, _crescent, _ell,
)  # fmt: skip

GROUNDS: tuple[Drawing, ...] = (
    lambda x, y: (x + y) < -SIDE,  # plain: nowhere
    lambda x, y: y // 2 % 2 == 0,  # rows, columns, checks
    lambda x, y: x // 2 % 2 == 0,
    lambda x, y: (x // 2 + y // 2) % 2 == 0,
    lambda x, y: y // 5 % 2 == 0,  # the same, coarse
    lambda x, y: x // 5 % 2 == 0,
    lambda x, y: (x // 5 + y // 5) % 2 == 0,
    lambda x, y: (x + y) // 3 % 2 == 0,  # diagonals
    lambda x, y: (x % 6 < 2) | (y % 6 < 2),  # grid
    lambda x, y: (x % 5 < 2) & (y % 5 < 2),  # dots
)


def make(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw a split; announced to audit hooks as `bench.data.shapes` with name and split.

    Returns:
        images uint8 (N, 32, 32, 3) and labels int64 (N,), balanced. A label of `shapes10` is the figure's index in
        `OUTLINES`; one of `shapes100` is ten times that plus the ground's in `GROUNDS`.
    """
    sys.audit("bench.data.shapes", name, split)
    count = SIZES[name][split]
    random = np.random.RandomState(SEEDS[split])
    labels = np.arange(count, dtype=np.int64) % int(name.removeprefix("shapes"))
    if name == "shapes10":
        outlines, grounds = labels, _draw(random, 0, len(GROUNDS), count)
    else:
        outlines, grounds = np.divmod(labels, len(GROUNDS))
    layers = _grounds(random, grounds)
    layers[_figures(random, outlines)] = 2
    for _ in range(CONFETTI):
        layers[_patch(random, count)] = 3
    return _colour(random, layers), labels


def _draw(random: np.random.RandomState, low: int, high: int, *shape: int) -> np.ndarray:
    """Integers from `low` up to and without `high`, of a type whose stream is the same on every platform."""
    return random.randint(low, high, shape, dtype=np.int32)


def _axes() -> tuple[Plane, Plane]:
    """Pixel coordinates x (1, 1, W) and y (1, H, 1)."""
    line = np.arange(SIDE, dtype=np.int32)
    return line[None, None, :], line[None, :, None]


def _grounds(random: np.random.RandomState, kinds: np.ndarray) -> Plane:
    """Which of the ground's two colours, 0 or 1, each pixel has: uint8 (N, H, W); phase and mirroring are random."""
    x, y = _axes()
    shift_x, shift_y = _draw(random, 0, 60, 2, len(kinds), 1, 1)
    x, y = x * (2 * _draw(random, 0, 2, len(kinds), 1, 1) - 1) + shift_x, y + shift_y
    layers = np.zeros((len(kinds), SIDE, SIDE), dtype=np.uint8)
    for kind, ground in enumerate(GROUNDS):
        chosen = np.flatnonzero(kinds == kind)
        layers[chosen] = ground(x[chosen], y[chosen])
    return layers


def _figures(random: np.random.RandomState, kinds: np.ndarray) -> Plane:
    """Where each image's figure is: bool (N, H, W). Its centre keeps away from the border by 3/4 of its radius."""
    count = len(kinds)
    radius = _draw(random, *RADII, count)
    inset = radius * 3 // 4
    place = inset + (_draw(random, 0, 4096, 2, count) * (SIDE * SUB - 2 * inset) >> 12)
    turn = _draw(random, 0, 360, count)
    found = np.zeros((count, SIDE, SIDE), dtype=bool)
    for kind, outline in enumerate(OUTLINES):
        chosen = np.flatnonzero(kinds == kind)
        centre_x, centre_y, sine, cosine, unit = (
            values[chosen, None, None] for values in (*place, SINE[turn], COSINE[turn], 4096 // UNIT * radius)
        )
        x, y = (SUB * axis + SUB // 2 for axis in _axes())
        x, y = x - centre_x, y - centre_y
        found[chosen] = outline((x * cosine + y * sine) // unit, (y * cosine - x * sine) // unit)
    return found


def _patch(random: np.random.RandomState, count: int) -> Plane:
    """Where one piece of confetti lies on each image: bool (N, H, W)."""
    (x, y), (left, top) = _axes(), _draw(random, -2, SIDE, 2, count, 1, 1)
    width, height = _draw(random, 2, 6, 2, count, 1, 1)
    return (x >= left) & (x < left + width) & (y >= top) & (y < top + height)


def _colour(random: np.random.RandomState, layers: Plane) -> np.ndarray:
    """Images uint8 (N, H, W, 3) of layers: 0 and 1 ground, 2 figure, 3 confetti."""
    count = len(layers)
    ground, confetti = _draw(random, 0, 256 - RELIEF, count, 3), _draw(random, 0, 256, count, 3)
    figure = (ground + RELIEF // 2 + _draw(random, CONTRAST, 256 - CONTRAST, count, 3)) % 256
    palette = np.stack([ground, ground + RELIEF, figure, confetti], axis=1)
    slope_x, slope_y = _draw(random, -2, 3, 2, count, 1, 1, 1)
    (x, y), middle = _axes(), SIDE // 2
    light = slope_x * (x[..., None] - middle) + slope_y * (y[..., None] - middle)
    pixels = palette[np.arange(count)[:, None, None], layers] + light
    pixels += random.randint(0, 2 * NOISE + 1, pixels.shape, dtype=np.uint8)
    return np.clip(pixels - NOISE, 0, 255).astype(np.uint8)

"""Made-up methods whose true accuracies are known, for finding out how often statistics are wrong.

Images differ in how hard they are, from always right to hardly ever, around an accuracy of 0.89. A seed shifts all of
them, most those in between. Every image is then right or wrong by chance, once a seed, which adds 0.2 points to the
spread on 10,000 images. Shifts of 0.1 to 0.5 points and the shapes of their distributions are assumed, not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]
Shape = Callable[[np.random.Generator, tuple[int, ...]], Floats]

IMAGES = 10_000
CLASSES = np.array([0.35, 0.65, 0.90, 0.985, 0.999, 1.0])
IMAGES_OF_CLASS = np.array([1000, 1000, 1000, 1500, 2500, 3000])


def normal(rng: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """No skew."""
    return rng.normal(size=size)


def skewed(skewness: float) -> Shape:
    """A long tail of worse seeds."""
    shape = 4 / skewness**2
    return lambda rng, size: (shape - rng.gamma(shape, size=size)) / np.sqrt(shape)


def failing(rng: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """One seed in twenty falls by four standard deviations of the others."""
    return rng.normal(size=size) - 4 * (rng.random(size) < 0.05) + 0.2


@dataclass(frozen=True)
class World:
    """Two methods of one true accuracy.

    Attributes:
        shape: distribution of seeds, of mean 0.
        sd_a, sd_b: what it is scaled by, shares.
        correlation: between the shifts of the two methods under one seed.
    """

    shape: Shape
    sd_a: float
    sd_b: float
    correlation: float = 0.0

    def shares(self, rng: np.random.Generator, nulls: int, n_a: int, n_b: int) -> tuple[Floats, Floats]:
        """Accuracies of both methods, shapes (nulls, n_a) and (nulls, n_b)."""
        first = self.shape(rng, (nulls, n_a))
        second = self.shape(rng, (nulls, n_b))
        if self.correlation:
            second = self.correlation * first + np.sqrt(1 - self.correlation**2) * second
        return _tested(rng, self.sd_a * first), _tested(rng, self.sd_b * second)


WORLDS = {
    "equal, 0.1 points": World(normal, 0.001, 0.001),
    "equal, 0.5 points": World(normal, 0.005, 0.005),
    "0.1 and 0.5 points": World(normal, 0.001, 0.005),
    "skewness -1, 0.3 points": World(skewed(1), 0.003, 0.003),
    "skewness -0.5, 0.1 and 0.5 points": World(skewed(0.5), 0.001, 0.005),
    "one in twenty fails, 0.1 and 0.4 points": World(failing, 0.001, 0.004),
}
BEYOND = World(skewed(1), 0.001, 0.005)
ALIKE = World(normal, 0.003, 0.003, correlation=0.7)


def _tested(rng: np.random.Generator, shift: Floats) -> Floats:
    """Accuracies on the images of models whose true accuracy is shifted so."""
    leeway = CLASSES * (1 - CLASSES)
    leeway /= leeway @ IMAGES_OF_CLASS / IMAGES
    right = [
        rng.binomial(images, np.clip(chance + shift * weight, 0, 1))
        for images, chance, weight in zip(IMAGES_OF_CLASS, CLASSES, leeway, strict=True)
    ]
    return np.sum(right, axis=0) / IMAGES


@dataclass(frozen=True)
class ImageWorld:
    """Two methods of one true accuracy on all images there are, of which a test draws some.

    Attributes:
        taste: how far images suit one method better than the other, standard deviation of their log-odds in each.
        shape, sd_a, sd_b: as in World.
    """

    taste: float
    shape: Shape
    sd_a: float
    sd_b: float

    def correct(
        self, rng: np.random.Generator, nulls: int, n_a: int, n_b: int, images: int
    ) -> Iterator[tuple[Bits, Bits]]:
        """Which images each seed has right, shapes (n_a, images) and (n_b, images), for one null after the other."""
        for _ in range(nulls):
            hardness = rng.normal(4.2, 3.2, images)
            sides = ((n_a, self.sd_a), (n_b, self.sd_b))
            first, second = (self._side(rng, hardness, n, sd) for n, sd in sides)
            yield first, second

    def _side(self, rng: np.random.Generator, hardness: Floats, n: int, sd: float) -> Bits:
        chance = 1 / (1 + np.exp(-hardness - rng.normal(0, self.taste, len(hardness))))
        leeway = chance * (1 - chance)
        shift = sd * self.shape(rng, (n, 1)) / leeway.mean()
        return rng.random((n, len(hardness)), dtype=np.float32) < (chance + shift * leeway).astype(np.float32)


IMAGE_WORLDS = {
    "the same method": ImageWorld(0.0, normal, 0.003, 0.003),
    "methods of different taste": ImageWorld(1.0, normal, 0.003, 0.003),
    "different taste, skewness -0.5, 0.1 and 0.5 points": ImageWorld(1.0, skewed(0.5), 0.001, 0.005),
}

"""Schedules: phases of epochs, and how the published one is shortened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench import names

NAMES = ("paper", "quick", "smoke")
QUICK = 25
"""`quick` is 1/25 of the published epochs, with batch and steps per epoch as published."""
EPOCHS = re.compile(r"([1-9]\d*)-epochs")
"""Any other length: the published schedule stretched or shortened to so many epochs."""
SMOKE_EPOCHS, SMOKE_STEPS = 2, 20


def check_name(name: str) -> str:
    """Return the name of a schedule if it is one.

    Raises:
        UnknownName: with the nearest known names.
    """
    return name if EPOCHS.fullmatch(name) else names.check("schedule", name, (*NAMES, "N-epochs"))


@dataclass(frozen=True)
class Phase:
    """A named stretch of whole epochs; without `updates` the student is run but not trained."""

    name: str
    epochs: int
    updates: bool = True


@dataclass(frozen=True)
class Step:
    """One iteration's place in the schedule; `index` and `epoch` count from 0."""

    index: int
    total: int
    epoch: int
    phase: str
    first: bool
    last: bool

    @property
    def progress(self) -> float:
        """Share of all steps done before this one, in [0, 1)."""
        return self.index / self.total


@dataclass(frozen=True)
class Schedule:
    """Phases in order, steps per epoch and images per step.

    Attributes:
        phases: in order; each has at least one epoch.
        batch: images per step.
        steps: steps per epoch; None means one pass over the training images, the last partial batch dropped.
        milestones: epochs (0-based) from whose start learning rates are divided by ten.
        published: whether epochs are as published; shortened schedules use the corrected range rule.
    """

    phases: tuple[Phase, ...]
    batch: int
    steps: int | None = None
    milestones: tuple[int, ...] = ()
    published: bool = True

    @property
    def epochs(self) -> int:
        return sum(phase.epochs for phase in self.phases)

    @property
    def total(self) -> int:
        """Number of steps in all; needs `steps` to be known (see `sized`)."""
        if self.steps is None:
            raise ValueError("steps per epoch depend on the number of images: call sized(images) first")
        return self.epochs * self.steps

    def sized(self, images: int) -> Schedule:
        """This schedule with `steps` settled for a training split of `images` images."""
        return self if self.steps is not None else replace(self, steps=max(1, images // self.batch))

    def named(self, name: str) -> Schedule:
        """The `paper`, `quick` or `smoke` form of this published schedule, or `N-epochs` of it.

        Raises:
            UnknownName: for another name.
        """
        if match := EPOCHS.fullmatch(check_name(name)):
            return self._shortened(max(int(match[1]), len(self.phases)))
        if name == "paper":
            return self
        epochs = SMOKE_EPOCHS if name == "smoke" else round(self.epochs / QUICK)
        shortened = self._shortened(max(epochs, len(self.phases)))
        return replace(shortened, steps=SMOKE_STEPS) if name == "smoke" else shortened

    def _shortened(self, epochs: int) -> Schedule:
        ratio, start, done, phases = epochs / self.epochs, 0, 0, []
        for later, phase in zip(reversed(range(len(self.phases))), self.phases, strict=True):
            start += phase.epochs
            end = min(max(done + 1, round(start * ratio)), epochs - later)
            phases.append(replace(phase, epochs=end - done))
            done = end
        # a milestone never falls on the first epoch of the last phase: some training happens at the base rate
        earliest = done - phases[-1].epochs + 1
        milestones = tuple(max(earliest, round(m * ratio)) for m in self.milestones)
        return replace(self, phases=tuple(phases), milestones=milestones, published=False)

    def decay(self, epoch: int) -> float:
        """Learning-rate factor of an epoch: 0.1 to the number of milestones reached."""
        return 0.1 ** sum(epoch >= milestone for milestone in self.milestones)

    def phase_of(self, epoch: int) -> str:
        """Name of the phase that an epoch belongs to."""
        for phase in self.phases:
            if epoch < phase.epochs:
                return phase.name
            epoch -= phase.epochs
        raise IndexError("epoch beyond the schedule")

    def step(self, index: int) -> Step:
        """The step of a global index."""
        steps = self.total // self.epochs
        epoch, within = divmod(index, steps)
        return Step(index, self.total, epoch, self.phase_of(epoch), within == 0, within == steps - 1)

    def walk(self, start: int = 0) -> Iterator[Step]:
        """Steps from global index `start` to the end."""
        return (self.step(index) for index in range(start, self.total))

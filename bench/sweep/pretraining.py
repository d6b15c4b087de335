"""Training full-precision models and publishing them as teachers."""

from __future__ import annotations

from bench.errors import ModelMissing
from bench.models.card import TeacherCard
from bench.models.teachers import find
from bench.spec import FULL
from bench.suite import Point, Suite
from bench.sweep import local
from bench.sweep.plan import Place, Wish, make
from bench.sweep.publish import publish

SUITE = "pretrain"


def train(point: Point, place: Place, command: str) -> TeacherCard | int:
    """Train the model of a point, or continue its training, and publish it.

    Returns:
        The card of the published teacher, or the exit code of a training that could not go on.
    """
    suite = Suite(SUITE, {axis: [value] for axis, value in vars(point).items() if axis != "options"})
    if code := local.run(make(suite, Wish(), place), command):
        return code
    return publish(make(suite, Wish(), place).cells[0], place)


def point_of(dataset: str, model: str, schedule: str = "paper", precision: str = "bf16", seed: int = 0) -> Point:
    """The training of a full-precision model, by default as the stored ones are trained."""
    return Point(dataset, model, SUITE, FULL, schedule, precision, seed)


def missing(suite: Suite, place: Place) -> list[Point]:
    """Trainings of the full-precision models that a suite names and the results folder lacks."""
    found = []
    for dataset in suite.axes["dataset"]:
        for model in suite.axes["model"]:
            try:
                find(place.results, dataset, model)
            except ModelMissing:
                found.append(point_of(dataset, model))
    return found

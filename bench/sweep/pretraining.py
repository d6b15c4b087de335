"""Training full-precision models and publishing them as teachers."""

from __future__ import annotations

from contextlib import closing

from bench.models.card import TeacherCard
from bench.spec import FULL
from bench.suite import Point, Suite, Variant
from bench.sweep import supervisor
from bench.sweep.executors import executor
from bench.sweep.missing import missing_of, waiting
from bench.sweep.place import Place
from bench.sweep.plan import make
from bench.sweep.publish import publish
from bench.sweep.wish import Wish, wished

SUITE = "pretrain"


def train(point: Point, place: Place, command: str) -> TeacherCard | int:
    """Train the model of a point, or continue its training, and publish it.

    Returns:
        The card of the published teacher, or the exit code of a training that could not go on.
    """
    axes = {axis: [value] for axis, value in vars(point).items() if axis != "options"}
    suite = Suite(SUITE, axes | {"method": [Variant(SUITE)]})
    with closing(executor("local", place, 1)) as held:
        if code := supervisor.run(make(suite, Wish(), place), command, held):
            return code
    return publish(make(suite, Wish(), place).cells[0], place)


def point_of(dataset: str, model: str, schedule: str = "paper", precision: str = "bf16", seed: int = 0) -> Point:
    """The training of a full-precision model, by default as the stored ones are trained."""
    return Point(dataset, model, SUITE, FULL, schedule, precision, seed)


def missing(suite: Suite, wish: Wish, place: Place) -> list[Point]:
    """Trainings of the full-precision models that the wished cells start or learn from and the results folder lacks."""
    found = (waiting(point, place.results, place.teacher) for point in wished(suite, wish, place.device))
    return [point_of(model.dataset, model.model) for model in missing_of(filter(None, found))]

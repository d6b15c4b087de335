"""Training full-precision models and publishing them as teachers."""

from __future__ import annotations

from bench.errors import ModelMissing
from bench.method import settled
from bench.models.card import TeacherCard
from bench.models.teachers import find
from bench.registry import get
from bench.spec import FULL
from bench.suite import Point, Suite, Variant
from bench.sweep import local
from bench.sweep.plan import Place, Wish, make, wished
from bench.sweep.publish import publish

SUITE = "pretrain"


def train(point: Point, place: Place, command: str) -> TeacherCard | int:
    """Train the model of a point, or continue its training, and publish it.

    Returns:
        The card of the published teacher, or the exit code of a training that could not go on.
    """
    axes = {axis: [value] for axis, value in vars(point).items() if axis != "options"}
    suite = Suite(SUITE, axes | {"method": [Variant(SUITE)]})
    if code := local.run(make(suite, Wish(), place), command):
        return code
    return publish(make(suite, Wish(), place).cells[0], place)


def point_of(dataset: str, model: str, schedule: str = "paper", precision: str = "bf16", seed: int = 0) -> Point:
    """The training of a full-precision model, by default as the stored ones are trained."""
    return Point(dataset, model, SUITE, FULL, schedule, precision, seed)


def missing(suite: Suite, wish: Wish, place: Place) -> list[Point]:
    """Trainings of the full-precision models that the wished cells start or learn from and the results folder lacks."""
    needed: dict[tuple[str, str], None] = {}
    for point in wished(suite, wish, place):
        card = settled(get(point.method), point.options)
        needed |= {(point.dataset, model): None for model in (point.model, card.tutor) if model}
    return [point_of(*named) for named in needed if not _stored(place, *named)]


def _stored(place: Place, dataset: str, model: str) -> bool:
    try:
        return bool(find(place.results, dataset, model))
    except ModelMissing:
        return False

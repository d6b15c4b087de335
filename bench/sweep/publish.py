"""Publishing a finished full-precision training as a teacher, with its card."""

from __future__ import annotations

from bench import records
from bench.data import describe
from bench.errors import ModelMissing
from bench.models.card import TeacherCard
from bench.models.teachers import command
from bench.models.teachers import publish as store
from bench.sweep.place import Place
from bench.sweep.plan import Planned


def publish(planned: Planned, place: Place) -> TeacherCard:
    """Keep the model of a finished `pretrain` cell in results/teachers/.

    Raises:
        ModelMissing: if the cell did not end well, or its weights are gone.
    """
    from bench.models import weights

    record = records.read(planned.path)
    if not record.ok:
        raise ModelMissing(f"training of {planned.cell.label} ended as {record.status}: {record.reason}")
    file = place.results / record.run["weights_file"]
    if not file.is_file():
        again = command(planned.cell.dataset, planned.cell.model)
        raise ModelMissing(f"{file} is gone; delete {planned.path} and run again: {again}")
    dataset = describe(planned.cell.dataset, place.data_root)
    card = TeacherCard(
        dataset=dataset.name,
        model=planned.cell.model,
        classes=dataset.classes,
        sha256=record.result["weights"],
        mean=dataset.mean,
        std=dataset.std,
        provenance="measured",
        top1=record.result["top1"]["last"],
        seed=planned.cell.seed,
        epochs=planned.schedule.epochs,
        recipe={"method": record.method["version"], "batch": planned.schedule.batch, **planned.cell.options},
        data_fingerprint=dataset.fingerprint,
        record=record.id,
    )
    store(place.results, card, weights.read(file))
    return card

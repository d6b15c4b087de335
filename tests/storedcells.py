"""Small finished cells as a results folder keeps them: record, packed weights, and the full-precision model beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from recordfactory import make_record
from tiny import network, setup
from workplace import CLASSES, Workplace

from bench import records
from bench.data import Split, describe, load_split
from bench.method import Method
from bench.models import TeacherCard, publish, weights
from bench.models.weights import fingerprint
from bench.quant.convert import quantize, tracking
from bench.quant.describe import activation_ranges
from bench.quant.pack import pack
from bench.records import Record, seal
from bench.runner.evaluate import TestImages as Images
from bench.runner.evaluate import score
from bench.runner.track import Track
from bench.spec import Bits
from methods.gdfq import GDFQ

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def pictures(count: int = 48) -> Images:
    """Random test images."""
    random = torch.Generator().manual_seed(3)
    images = torch.randint(256, (count, 32, 32, 3), generator=random, dtype=torch.uint8)
    labels = torch.randint(10, (count,), generator=random)
    return Images(images, labels, torch.tensor(MEAN), torch.tensor(STD))


def labelled() -> tuple[torch.Tensor, torch.Tensor]:
    test = pictures(16)
    return test.images, test.labels


def teacher(results: Path) -> str:
    """Store the tiny full-precision network; its sha256."""
    state = network().state_dict()
    card = TeacherCard("shapes10", "resnet20", 10, fingerprint(state), MEAN, STD, "measured", record="f" * 64)
    publish(results, card, state)
    return card.sha256


def trained(method: Method, bits: str, **options: Any) -> Track:
    """A cell that learnt for one step a phase."""
    given = setup(method, bits, steps=1, options=options, training=labelled)
    track, source = Track("cell", given, method.learner(given)), method.source(given)
    track.begin_epoch(0.0)
    for step in given.schedule.walk():
        track.learn(step, source.draw(step, track.learner.student()), source.losses())
        if step.last:
            track.end_epoch(step, pictures(), 0.0)
    return track


def kept(results: Path, track: Track) -> Record:
    """The record of a cell; its weights are packed, and the model that it started from is stored."""
    cell = track.setup.cell.but(init=teacher(results))
    file = f"weights/{cell.method}.safetensors"
    weights.write(results / file, pack(track.learner.student()))
    made = make_record(spec=cell.plain(), run={"weights_file": file})
    record = replace(made, result=seal(track.result(None, pictures())))
    records.write(results, record)
    return record


def finished(results: Path) -> Record:
    """The record of a cell of GDFQ at W4A4."""
    return kept(results, trained(GDFQ(), "W4A4", ranges="corrected"))


def scored(place: Workplace, method: str = "adadfq", **overrides: Any) -> Record:
    """The record of an untrained W4A4 cell on the test images of `tiny`, as a sweep would have left it."""
    facts, split, state = describe("tiny", place.data), tiny_split(place), network(classes=CLASSES).state_dict()
    card = TeacherCard("tiny", "resnet20", CLASSES, fingerprint(state), facts.mean, facts.std, "measured")
    init = publish(place.results, card, state)
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    test = Images(images, labels, torch.tensor(init.card.mean), torch.tensor(init.card.std))
    model = quantize(init.network(CLASSES), Bits(4, 4), "corrected")
    with torch.no_grad(), tracking(model):
        model(test.normalised(0, 50))
    found, file = score(model, test), f"weights/tiny/{method}/cell.safetensors"
    weights.write(place.results / file, pack(model))
    spec = {
        "dataset": "tiny",
        "method": method,
        "schedule": "smoke",
        "init": init.card.sha256,
        "tutor": init.card.sha256,
    }
    made = make_record(
        spec=spec,
        data={"fingerprint": facts.fingerprint, "images": len(split)},
        run={"weights_file": file},
        **overrides,
    )
    if made.ok:
        outcome = {"top1": {"last": found.top1, "init": 0.25}, "correct": found.packed()}
        sure = {"weights": fingerprint(model.state_dict()), "ranges": activation_ranges(model)}
        made = replace(made, result=seal(outcome | sure))
    records.write(place.results, made)
    return made


def tiny_split(place: Workplace) -> Split:
    """The test images of `tiny`."""
    return load_split("tiny", place.data, "test")

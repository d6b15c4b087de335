"""The card: complete, with a name, a tutor and a schedule that the harness can work with."""

from __future__ import annotations

import re
from typing import get_args

from bench import models
from bench.conformance.report import Problem
from bench.conformance.trial import Trial
from bench.errors import UnknownName
from bench.method import Card, DataAccess

TEXTS = {
    "version": "e.g. '1', raised whenever results may change",
    "title": "one line for people",
    "citation": "authors, title and venue",
    "quantizer": "the class of quantizer: granularity and symmetry",
}
"""Texts that a card must have, and what they tell."""


def check(trial: Trial) -> list[Problem]:
    card = trial.card
    empty = [name for name in TEXTS if not _told(getattr(card, name))]
    found = [Problem(f"card.{name}", "is empty", f"write {TEXTS[name]}") for name in empty]
    if not re.fullmatch("[a-z][a-z0-9_]*", card.name):
        found.append(Problem("card.name", f"is {card.name!r}", "use small letters, digits and _, a letter first"))
    if card.name != trial.method.card.name:
        found.append(Problem("settled", f"renames the method to {card.name!r}", "change other fields alone"))
    if card.data not in get_args(DataAccess):
        found.append(Problem("card.data", f"is {card.data!r}", f"write one of {', '.join(get_args(DataAccess))}"))
    return [*found, *_tutor(card), *_schedule(card)]


def _told(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _tutor(card: Card) -> list[Problem]:
    try:
        models.check(card.tutor or models.MODELS[0])
    except UnknownName as error:
        return [Problem("card.tutor", str(error), "write a registered network's name, or leave it empty for the init")]
    return []


def _schedule(card: Card) -> list[Problem]:
    schedule, found = card.schedule, []
    if schedule.batch < 1 or (schedule.steps is not None and schedule.steps < 1):
        found.append(Problem("card.schedule", "has a batch or steps below 1", "write those of the paper"))
    for phase in schedule.phases:
        if phase.epochs < 1:
            found.append(Problem(f"phase {phase.name}", "has no epoch", "leave it out, or give it at least one"))
    return found

"""Repetition: a seed decides everything, a loaded run goes on as if nothing had been, a source serves all learners."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence

from bench.conformance.digests import digests, unequal
from bench.conformance.report import Problem, first_of_each_place
from bench.conformance.run import Run, stirred
from bench.conformance.trial import Trial

STREAMS = "draw random numbers from setup.stream(...), initialise within setup.seeded(...)"
STATES = "put everything that later steps depend on into state(), and take it back in load()"
PLAIN = "put tensors, numbers, text, lists and dicts alone into state()"


def determinism(trial: Trial) -> list[Problem]:
    """Two runs of one seed are equal bit for bit, whatever the global random streams are at."""
    trial = trial.on_cpu
    with stirred(1):
        return [Problem(*found, STREAMS) for found in _differences(trial.reference, trial.start().whole())]


def resume(trial: Trial) -> list[Problem]:
    """A run that is loaded from a checkpoint ends as the one that wrote it."""
    trial = trial.on_cpu
    assert trial.reference
    return first_of_each_place(problem for steps in trial.stops for problem in _resumed(trial, steps))


def sharing(trial: Trial) -> list[Problem]:
    """Batches are detached, left as they are, and depend on the student exactly where the card says `feedback`."""
    trial = trial.on_cpu
    reference = trial.reference
    found = [Problem(f"batch.{name}", "hangs on a graph", "detach it") for name in sorted(reference.attached)]
    if reference.touched:
        problem = f"changed the batch at step {reference.touched[0] + 1}, which other learners get too"
        found.append(Problem("learn", problem, "work on a copy"))
    with stirred(1):
        alone = trial.start()
        for step in alone.setup.schedule.walk():
            alone.draw(step)
    alike = alone.batches == reference.batches
    if trial.card.feedback and alike:
        problem = "says feedback, but batches are the same whether or not the student learns"
        found.append(Problem("card.feedback", problem, "write feedback=False, so that bit-widths share one source"))
    if not trial.card.feedback and not alike:
        problem = "batches depend on what the student has learnt, but the card says feedback=False"
        found.append(Problem("source", problem, "write feedback=True, or leave the student alone"))
    return found


def _resumed(trial: Trial, steps: int) -> list[Problem]:
    with stirred(1):
        fresh = trial.start()
        try:
            fresh.load(trial.checkpoint(steps), steps)
        except pickle.UnpicklingError as error:
            return [Problem("state", f"holds what a checkpoint cannot ({str(error).splitlines()[0]})", PLAIN)]
        fresh.whole()
    parted = _differences(trial.reference, fresh)
    return [Problem(where, f"loaded after step {steps}, {what}", STATES) for where, what in parted]


def _differences(reference: Run, other: Run) -> list[tuple[str, str]]:
    """Where `other` parts from the reference over its own steps: where, and what."""
    skipped = other.start - reference.start
    found = [
        *_first("batch", reference.batches[skipped:], other.batches, other.start),
        *_first("loss", list(map(digests, reference.losses[skipped:])), list(map(digests, other.losses)), other.start),
    ]
    if uneven := unequal(reference.student, other.student):
        found.append(("student", f"{len(uneven)} tensors differ at the end, e.g. {uneven[0]}"))
    return found


def _first(
    name: str, expected: Sequence[Mapping[str, str]], got: Sequence[Mapping[str, str]], start: int
) -> Iterator[tuple[str, str]]:
    """The first step at which two runs differ in batch or loss."""
    for index, (one, other) in enumerate(zip(expected, got, strict=True), start + 1):
        if uneven := unequal(one, other):
            yield name, f"{', '.join(uneven)} differ{'s' if len(uneven) == 1 else ''} from step {index} on"
            return

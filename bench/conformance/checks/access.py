"""Data access: training images for those alone whose card says so, test images for none; and the watch is awake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from torch import Tensor, nn

from bench.conformance.report import Problem
from bench.conformance.run import stirred
from bench.conformance.standin import NAME, standin
from bench.conformance.trial import Trial
from bench.data import training_files
from bench.data.guard import Guard
from bench.errors import DataAccessDenied
from bench.method import Batch, Source, State
from bench.schedule import Step

INSTEAD = {
    "train": "take images from setup.images() and declare data='train' or 'calibration', or do without",
    "test": "never look at test images: the harness alone does",
}


def check(trial: Trial) -> list[Problem]:
    watched = ("train", "test") if trial.card.data == "none" else ("test",)
    return [problem for split in watched for problem in (*_honest(trial, split), *_caught(trial, split))]


class Cheat(Source):
    """A source that opens a file before each draw and hushes up what comes of it."""

    def __init__(self, source: Source, file: Path) -> None:
        self.source, self.file = source, file

    def draw(self, step: Step, student: nn.Module) -> Batch:
        with suppress(Exception):
            self.file.read_bytes()
        return self.source.draw(step, student)

    def losses(self) -> Mapping[str, Tensor]:
        return self.source.losses()

    def state(self) -> State:
        return self.source.state()

    def load(self, state: State) -> None:
        self.source.load(state)


def _honest(trial: Trial, split: str) -> list[Problem]:
    """What the adapter itself opens of a split, from building to the last step."""
    watch = _watch(trial, split)
    try:
        with stirred(1), watch:
            trial.start().whole()
    except DataAccessDenied as denied:
        if watch.violation or split == "train":
            return [Problem(f"{split} split", _deed(denied), INSTEAD[split])]
    return []


def _caught(trial: Trial, split: str) -> list[Problem]:
    """The same adapter with a source that cheats must not get through."""
    try:
        with stirred(1), _watch(trial, split):
            run = trial.start()
            run.source = Cheat(run.source, standin().file(split))
            run.draw(next(run.setup.schedule.walk()))
    except DataAccessDenied:
        return []
    told = "a source that opens its file is not caught: the adapter has put the watch out of action"
    return [Problem(f"{split} split", told, "leave bench.data.guard and audit hooks alone")]


def _deed(denied: DataAccessDenied) -> str:
    """What was done, without the guard's own reading of it, which knows training files alone."""
    return re.split(", a file of|, but its card|; its card", str(denied))[0]


def _watch(trial: Trial, split: str) -> Guard:
    files = training_files(NAME, standin().root) if split == "train" else [standin().file(split)]
    return Guard(trial.card.name, files)

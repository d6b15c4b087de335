"""Which stored model a person means: by the beginning of a cell's id, or by a file of weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from bench import records
from bench.data import describe
from bench.errors import BenchError, ModelMissing, UnknownName
from bench.measure.stored import stored, teacher_of
from bench.models import card as cards
from bench.models.teachers import Teacher, from_file
from bench.records import Record

SUFFIXES = (".safetensors", ".pth", ".pt", ".zip")


class CellUnfinished(BenchError):
    """A cell that left no model."""


@dataclass(frozen=True)
class Target:
    """A model to be scored, on the CPU in eval mode.

    Attributes:
        title: for people. record: of the cell that it is the result of; None for a user's own model.
        full: the full-precision model that it started from; None where it is one itself.
        teacher: that model's card, which has the data set and the input normalisation.
    """

    title: str
    model: nn.Module
    record: Record | None
    full: nn.Module | None
    teacher: Teacher


@dataclass(frozen=True)
class Brought:
    """Where data sets lie, and what a user's own file is of, where no card beside it says so."""

    data_root: Path
    dataset: str | None
    model: str | None


def find(results: Path, wanted: str, brought: Brought) -> list[Target]:
    """The models of a cell, one a platform that it ran on, or the one of a file.

    Raises:
        UnknownName: if no cell's id begins so, or several do. CellUnfinished: if the cell has no model.
        ModelMissing, ModelCorrupt: if weights are not there or damaged.
    """
    path = Path(wanted)
    if path.is_file() or path.suffix in SUFFIXES:
        return [_of_file(results, path, brought)]
    return [_of_record(results, record) for record in cell(results, wanted)]


def cell(results: Path, start: str) -> list[Record]:
    """The finished records of the one cell whose id begins so, one a platform.

    Raises:
        UnknownName, CellUnfinished: as `find`.
    """
    found = [record for record in records.load(results) if record.id.startswith(start)]
    ids = sorted({record.id[:16] for record in found})
    if not ids:
        hint = "`python -m bench status SUITE` shows ids"
        raise UnknownName(f"no cell whose id begins with '{start}' has a record in {results / 'records'}; {hint}")
    if len(ids) > 1:
        some = f"{', '.join(ids[:3])}{', ...' * (len(ids) > 3)}"
        raise UnknownName(f"{len(ids)} cells have ids that begin with '{start}' ({some}); give more of the id")
    finished = [record for record in found if record.ok]
    if not finished:
        told = f"{found[0].cell.label} ({ids[0]}) is {found[0].status} and left no model"
        raise CellUnfinished(f"{told}; run its suite again")
    return finished


def _of_record(results: Path, record: Record) -> Target:
    if record.cell.bits.full:
        return _of_teacher(teacher_of(results, record.result["weights"], record.cell.label), record)
    both = stored(results, record)
    return Target(_title(record), both.model, record, both.full, both.init)


def _of_file(results: Path, path: Path, brought: Brought) -> Target:
    """The model in a file: packed weights of a record, a stored full-precision model, or a user's own."""
    if not path.is_file():
        raise ModelMissing(f"{path}: no such weights file")
    if path.resolve().is_relative_to((results / "weights").resolve()):
        name = path.resolve().relative_to(results.resolve()).as_posix()
        for record in records.load(results):
            if record.run.get("weights_file") == name:
                return _of_record(results, record)
        raise ModelMissing(f"{path}: no record in {results / 'records'} has left it; restore the record from git")
    if brought.dataset and brought.model:
        return _of_teacher(from_file(path, describe(brought.dataset, brought.data_root), brought.model), None)
    card = path.with_suffix(".json")
    if not card.is_file():
        raise ModelMissing(f"{path} has no card ({card.name}) beside it; say what it is: --dataset NAME --model NAME")
    teacher = Teacher(cards.read(card), path)
    made = [r for r in records.load(results) if r.id == teacher.card.record]
    return _of_teacher(teacher, next((r for r in made if r.result.get("weights") == teacher.card.sha256), None))


def _of_teacher(teacher: Teacher, record: Record | None) -> Target:
    card = teacher.card
    title = _title(record) if record else f"{card.dataset} {card.model} ({teacher.weights.name})"
    return Target(title, teacher.network(card.classes), record, None, teacher)


def _title(record: Record) -> str:
    return f"{record.cell.dataset} {record.cell.label} ({record.id[:16]})"

"""What a method is checked against: frozen references, or another method that runs beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.compare.errors import ReferenceInvalid
from bench.compare.reference import Reference, folder, read, stored
from bench.compare.subject import Subject


@dataclass(frozen=True)
class Baseline:
    """Either references or a method.

    Attributes:
        why: how it was chosen, for people.
        references: frozen ones, one for each league but for bits. method: another method, where there are none.
    """

    why: str
    references: tuple[Reference, ...] = ()
    method: Subject | None = None


def baseline(subject: Subject, given: str, results: Path) -> Baseline:
    """The baseline that was given: a reference's file or name, or a method; else the method's own references or base.

    Raises:
        ReferenceInvalid: if a reference cannot be read, or there is nothing to check against.
        UnknownName, OptionInvalid: if what was given is no method either.
    """
    if given:
        return _given(given, results)
    if own := own_references(subject, results):
        return Baseline(f"frozen references of {subject.name}", own)
    if subject.base is None:
        freeze = f"python -m bench reference freeze '{subject.name}'"
        none = f"{subject.name} has no frozen reference and builds on no other method"
        raise ReferenceInvalid(f"{none}; freeze one ({freeze}), or give --baseline METHOD")
    return Baseline(f"{subject.base}, which {subject.name} builds on", method=Subject.of(subject.base))


def own_references(subject: Subject, results: Path) -> tuple[Reference, ...]:
    """The frozen references of a method with its options."""
    return tuple(found for found in stored(results).values() if found.name == subject.name)


def _given(given: str, results: Path) -> Baseline:
    paths = [Path(given), folder(results) / given, folder(results) / f"{given}.json"]
    for path in paths:
        if path.suffix == ".json" and path.is_file():
            return Baseline(f"reference {path.name}", (read(path),))
    if given.endswith(".json"):
        raise ReferenceInvalid(f"no reference {given}; list those in {folder(results)}: python -m bench reference ls")
    own = tuple(found for found in stored(results).values() if found.name == " ".join(given.split()))
    if own:
        return Baseline(f"frozen references of {given}", own)
    return Baseline(f"{given}, which runs beside it", method=Subject.of(given))

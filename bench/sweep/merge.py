"""Merging results folders: the records of several machines in one place, with the files they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from bench.errors import MergeRefused
from bench.files import pretty_json, write_bytes, write_text
from bench.records import Record, path_of, read


@dataclass
class Merged:
    """What a merge did.

    Attributes:
        taken: paths of records that were added or replaced. present: number of records that were there already.
    """

    taken: list[Path] = field(default_factory=list)
    present: int = 0

    def __str__(self) -> str:
        return f"{len(self.taken)} records taken, {self.present} were there already"


@dataclass(frozen=True)
class _Find:
    """A record in another folder, and where it goes."""

    record: Record
    file: Path
    source: Path
    target: Path


def merge(results: Path, sources: Sequence[Path]) -> Merged:
    """Take the records of `sources`, results folders, into `results`; all of them or, where any is refused, none.

    Records are equal if cell and platform are. Where results differ on a platform that repeats itself bit for bit,
    one of them is wrong; elsewhere both are kept, the second under its digest. A finished record replaces a failed one.

    Raises:
        MergeRefused: naming both files of every contradiction; or if a folder holds no records.
        RecordInvalid: if a record cannot be read.
    """
    merged, chosen = Merged(), {}
    refused: list[str] = []
    for find in (find for source in sources for find in _finds(results, source)):
        known = chosen.get(find.target) or _known(find.target)
        if known is None or _gives_way(known.record, find.record):
            chosen[find.target] = find
        elif _same(known.record, find.record) or not find.record.final:
            merged.present += 1
        elif known.record.run.get("deterministic") and find.record.run.get("deterministic"):
            refused.append(_contradiction(known, find))
        else:
            aside = find.target.with_name(f"{find.target.stem}~{find.record.result['digest'][:8]}.json")
            merged.present += aside.is_file()
            if not aside.is_file():
                chosen[aside] = replace(find, target=aside)
    if refused:
        raise MergeRefused("\n".join(["nothing was merged, as equal cells have unequal results:", *refused]))
    for find in chosen.values():
        _take(results, find)
        merged.taken.append(find.target)
    return merged


def _finds(results: Path, source: Path) -> list[_Find]:
    files = sorted(path for path in (source / "records").rglob("*.json") if not path.name.startswith("."))
    if not files:
        raise MergeRefused(f"{source} holds no records; give a results folder, which has a folder records/ in it")
    return [_find(results, source, file, read(file)) for file in files]


def _find(results: Path, source: Path, file: Path, record: Record) -> _Find:
    target = path_of(results, record.spec["dataset"], record.spec["method"], record.id, record.platform)
    return _Find(record, file, source, target)


def _known(target: Path) -> _Find | None:
    return _Find(read(target), target, target, target) if target.is_file() else None


def _gives_way(known: Record, other: Record) -> bool:
    return not known.final and other.final


def _same(known: Record, other: Record) -> bool:
    return known.result.get("digest") == other.result.get("digest")


def _contradiction(known: _Find, find: _Find) -> str:
    told = " and ".join(f"{_figure(each.record)} in {each.file}" for each in (known, find))
    return f"  {find.record.cell.label} on {find.record.platform}: {told}; run it once more and delete the wrong one"


def _figure(record: Record) -> str:
    top1 = record.result.get("top1", {}).get("last")
    shown = record.status if top1 is None else f"{top1:.2%}"
    return f"{shown} (digest {record.result.get('digest', 'none')[:8]})"


def _take(results: Path, find: _Find) -> None:
    """Copy the weights and the picture that a record names, then the record, each whole or not at all."""
    run = dict(find.record.run)
    for key in ("weights_file", "images_file"):
        if (name := run.get(key)) and (find.source / name).is_file():
            run[key] = Path(name).with_name(find.target.stem + Path(name).suffix).as_posix()
            write_bytes(results / run[key], (find.source / name).read_bytes())
    write_text(find.target, pretty_json(asdict(replace(find.record, run=run))))

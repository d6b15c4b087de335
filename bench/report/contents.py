"""The contents of all tables, gathered from records in one pass."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import RecordInvalid
from bench.records import Record, read
from bench.report import published
from bench.report.leagues import Entry
from bench.report.measured import Measured, gather
from bench.report.omission import Unranked, Unusable, WhyNot, joined
from bench.report.outcome import Outcome, require_comparable, require_data, require_shape
from bench.report.published import Figure
from bench.report.rows import Sheet, sheets


@dataclass(frozen=True)
class Report:
    """Everything that tables show.

    Attributes:
        sheets: tables in order. whynot: cells without a result. unusable: files that were left out.
        unranked: records of other provenance, counted.
        measured: measurements by the sha256 of their model, which is a row's `models` or a board's `init`.
        figures: published figures, as `results/published.csv` gives them.
        programs: runs of the authors' own programs, in sheets of their own that never rank.
    """

    sheets: tuple[Sheet, ...] = ()
    whynot: tuple[WhyNot, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    unranked: tuple[Unranked, ...] = ()
    measured: Measured = Measured()
    figures: tuple[Figure, ...] = ()
    programs: tuple[Sheet, ...] = ()

    @property
    def datasets(self) -> list[str]:
        """Data sets that there is anything to say of: those with tables in their order, then others by name."""
        others = {cell.dataset for cell in self.whynot} | {count.dataset for count in self.unranked}
        others |= {file.dataset for file in self.unusable if file.dataset}
        return list(dict.fromkeys([*(sheet.dataset for sheet in self.sheets), *sorted(others)]))

    @property
    def omissions(self) -> list[tuple[str, list[str]]]:
        """Headings and lines of everything that the tables leave out."""
        lists = [
            ("Why not: cells without a result", self.whynot),
            ("Left out: records that could not be read or used", self.unusable),
            ("Not ranked: records of other provenance", self.unranked),
        ]
        return [(heading, [str(part) for part in parts]) for heading, parts in lists if parts]

    def only(self, dataset: str) -> Report:
        """The part about one data set, with the unusable files that belong to none."""
        return Report(
            tuple(sheet for sheet in self.sheets if sheet.dataset == dataset),
            tuple(cell for cell in self.whynot if cell.dataset == dataset),
            tuple(file for file in self.unusable if file.dataset in ("", dataset)),
            tuple(count for count in self.unranked if count.dataset == dataset),
            self.measured,
            tuple(figure for figure in self.figures if figure.dataset == dataset),
            tuple(sheet for sheet in self.programs if sheet.dataset == dataset),
        )


def build(results: Path) -> Report:
    """The report of a results folder. Records that cannot be used are named in it, never silently dropped."""
    draft = _Draft(results)
    with _uncollected():
        for path in sorted((results / "records").rglob("*.json")):
            if not path.name.startswith("."):
                draft.take(path)
    measured, refused = gather(results)
    figures, wrong = published.read(results)
    draft.unusable += [*refused, *wrong]
    return replace(draft.report(), measured=measured, figures=figures)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for cycles of references, of which reading makes none: of many records a quarter of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Draft:
    """A report in the making."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.outcomes: dict[Entry, list[Outcome]] = {}
        self.programs: dict[Entry, list[Outcome]] = {}
        self.whynot: list[WhyNot] = []
        self.unusable: list[Unusable] = []
        self.unranked: Counter[tuple[str, str]] = Counter()
        self.seen: set[tuple[str, str]] = set()

    def take(self, path: Path) -> None:
        """Sort in the record at a path, or note why it cannot be used."""
        try:
            record = read(path)
            require_shape(record)
            self._sort_in(record)
        except RecordInvalid as error:
            self.unusable.append(Unusable.of(path, self.results, error))

    def _sort_in(self, record: Record) -> None:
        self._require_first(record)
        if record.provenance != "measured":
            self._set_apart(record)
        elif not record.ok:
            self.whynot.append(WhyNot.of(record))
        elif record.cell.init:  # trainings from nothing are producers of models, not rows
            require_comparable(record)
            outcome = Outcome.of(record)
            self.outcomes.setdefault(Entry.of(record), []).append(outcome)

    def _set_apart(self, record: Record) -> None:
        """Take in a record of another provenance, which never ranks."""
        if record.provenance == "author-code" and record.ok:
            require_data(record, counted=False)
            outcome = Outcome.of(record)
            self.programs.setdefault(Entry.of(record), []).append(outcome)
        self.unranked[record.spec["dataset"], record.provenance] += 1

    def _require_first(self, record: Record) -> None:
        key = (record.id, record.platform)
        if key in self.seen:
            raise RecordInvalid("there is more than one file of this cell on this platform; the first by path counts")
        self.seen.add(key)

    def report(self) -> Report:
        """The report of what was taken."""
        unranked = tuple(Unranked(*key, count) for key, count in sorted(self.unranked.items()))
        return Report(
            sheets(self.outcomes),
            joined(self.whynot),
            tuple(sorted(self.unusable)),
            unranked,
            programs=sheets(self.programs),
        )

"""Published figures, as `results/published.csv` gives them: to stand beside measured ones, never to rank.

Percent with two decimals; `unknown` is what no source at hand says. Columns:
    method, dataset, model, bits: what the figure is of; the method as its paper calls it, bits as `W4A4` or `full`.
    top1, full_precision: percent, of the quantized model and of the full-precision one that it started from.
    source, confidence: where it was read, and how surely (high, medium, low).
    epoch: which epoch it is of: `last`, `best` on test images, `probably best`, or `unknown`.
    seeds, batch, schedule: how it came about.
    adapter: what here is the same method, empty for none: its name, then options that differ from its defaults, where
        `*` allows any value, e.g. `akt base=gdfq form=*`. All other options have their defaults.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bench.errors import RecordInvalid
from bench.report.leagues import Entry
from bench.report.omission import Unusable
from bench.spec import FULL, Bits

NAME = "published.csv"
COLUMNS = (
    "method", "dataset", "model", "bits", "top1", "full_precision", "source", "confidence", "epoch", "seeds", "batch",
    "schedule", "adapter",
)  # fmt: skip
UNKNOWN = "unknown"
PROBABLY_BEST = "probably best"
EPOCHS = ("last", "best", PROBABLY_BEST, UNKNOWN)
CONFIDENCES = ("high", "medium", "low")


@dataclass(frozen=True)
class Figure:
    """One published figure; shares in [0, 1], None for unknown."""

    method: str
    dataset: str
    model: str
    bits: Bits
    top1: float
    full_precision: float | None
    source: str
    confidence: str
    epoch: str
    seeds: str
    batch: str
    schedule: str
    adapter: str

    @property
    def order(self) -> tuple[Any, ...]:
        """Where it stands: by bits and name, the full-precision models first, never by its value."""
        return self.dataset, self.model, not self.bits.full, self.bits, self.method.lower(), self.source, self.top1

    def fits(self, entry: Entry) -> bool:
        """Whether an entry is the same method on the same data at the same bits."""
        name, *patterns = self.adapter.split() or [""]
        board = entry.league.board
        mine = (name, self.dataset, self.model, self.bits)
        if mine != (entry.method, board.dataset, board.model, entry.league.bits):
            return False
        required = [pattern for pattern in patterns if not pattern.endswith("=*")]
        return all(any(fnmatchcase(option, pattern) for pattern in patterns) for option in entry.changed) and all(
            pattern in entry.changed for pattern in required
        )


def read(results: Path) -> tuple[tuple[Figure, ...], list[Unusable]]:
    """The figures of a results folder in order, and the lines that cannot be used. No file has neither."""
    path = results / NAME
    figures, unusable = [], []
    for found in _lines(path):
        if isinstance(found, Figure):
            figures.append(found)
        else:
            unusable.append(Unusable.of(path, results, found))
    return tuple(sorted(figures, key=lambda figure: figure.order)), unusable


def _lines(path: Path) -> Iterator[Figure | RecordInvalid]:
    if not path.is_file():
        return
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                yield RecordInvalid(f"its columns must be {', '.join(COLUMNS)}")
                return
            for row in rows:
                try:
                    yield _figure(row)
                except ValueError as error:
                    yield RecordInvalid(f"line {rows.line_num}: {error}")
    except (csv.Error, OSError, UnicodeDecodeError) as error:
        yield RecordInvalid(f"not readable as CSV ({error})")


def _figure(row: Mapping[str | None, Any]) -> Figure:
    """The figure of a line.

    Raises:
        ValueError: saying what is wrong with it.
    """
    if None in row or None in row.values():
        raise ValueError(f"it must have {len(COLUMNS)} cells")
    for name, known in (("epoch", EPOCHS), ("confidence", CONFIDENCES)):
        if row[name] not in known:
            raise ValueError(f"{name} {row[name]!r} is none of {', '.join(known)}")
    for name in ("dataset", "model"):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", row[name]):
            raise ValueError(f"{name} {row[name]!r} is not a name")
    full = None if row["full_precision"] == UNKNOWN else _share(row["full_precision"])
    bits = FULL if row["bits"] == "full" else Bits.parse(row["bits"])
    told = {name: row[name] for name in COLUMNS if name not in ("bits", "top1", "full_precision")}
    return Figure(bits=bits, top1=_share(row["top1"]), full_precision=full, **told)


def _share(text: str) -> float:
    if not re.fullmatch(r"\d{1,3}\.\d{1,2}", text) or float(text) > 100:
        raise ValueError(f"{text!r} is no percentage such as 63.58")
    return round(float(text) / 100, 6)

"""The rows of a CSV file of runs: read and checked as a whole, every mistake with its line."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from bench import models
from bench.errors import BenchError, UnknownName
from bench.names import check, unknown
from bench.schedule import check_name
from bench.spec import PRECISIONS, Bits, Cell

REQUIRED = ("method", "dataset", "model", "bits", "schedule", "seed", "last", "best", "source", "commit")
OPTIONAL = ("init", "top5", "precision", "options", "note")
SHARES = ("last", "best", "init", "top5")


class RunsInvalid(BenchError):
    """A CSV file of runs with mistakes; the message lists all of them."""


@dataclass(frozen=True)
class Row:
    """One run of an authors' program.

    Attributes:
        line: in the file. bits: of weights and activations.
        last, best: top-1 after the last and the best epoch. init: of the full-precision model. top5: after the last.
        source, commit: where the program lies, and which state of it ran.
        options: what was not as the program has it. note: anything else worth knowing.
    """

    line: int = field(compare=False)
    method: str
    dataset: str
    model: str
    bits: Bits
    schedule: str
    seed: int
    last: float
    best: float
    source: str
    commit: str
    init: float | None = None
    top5: float | None = None
    precision: str = "fp32"
    options: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def cell(self) -> Cell:
        """What was run, as far as a cell can say it; which full-precision model it started from is not known."""
        return Cell(
            self.dataset, self.model, self.method, self.bits, self.schedule, self.seed, self.precision, self.options
        )


def read(path: Path, datasets: Collection[str]) -> list[Row]:
    """The rows of a file.

    Args:
        datasets: names of data sets that runs may be of.

    Raises:
        RunsInvalid: listing every mistake with its line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except FileNotFoundError as error:
        raise RunsInvalid(f"there is no file {path}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunsInvalid(f"{path}: not readable as CSV in UTF-8 ({error})") from error
    header = [name.strip() for name in lines[0][1]] if lines else []
    mistakes = list(_header(header))
    if mistakes:
        raise _refusal(path, mistakes)
    rows: list[Row] = []
    for number, cells in lines[1:]:
        found = _row(number, header, cells, _readers(datasets))
        if isinstance(found, Row):
            rows.append(found)
        else:
            mistakes += [f"line {number}: {mistake}" for mistake in found]
    if mistakes or not rows:
        raise _refusal(path, mistakes or ["there is no run below the header"])
    return rows


def _refusal(path: Path, mistakes: list[str]) -> RunsInvalid:
    return RunsInvalid("\n".join([f"{path} has {len(mistakes)} mistake(s):", *(f"  {line}" for line in mistakes)]))


def _header(header: list[str]) -> Iterator[str]:
    for name in dict.fromkeys(header):
        if name not in REQUIRED + OPTIONAL:
            yield f"line 1: {unknown('column', name, REQUIRED + OPTIONAL)}"
        elif header.count(name) > 1:
            yield f"line 1: column {name} stands there {header.count(name)} times"
    if missing := [name for name in REQUIRED if name not in header]:
        yield f"line 1: column(s) {', '.join(missing)} must be there"


def _row(
    line: int, header: list[str], cells: list[str], readers: Mapping[str, Callable[[str], Any]]
) -> Row | list[str]:
    """The row, or what is wrong with it."""
    if len(cells) != len(header):
        return [f"{len(cells)} values, but the header has {len(header)} columns"]
    values: dict[str, Any] = {}
    mistakes = []
    for name, text in zip(header, map(str.strip, cells), strict=True):
        if not text and name in REQUIRED:
            mistakes.append(f"{name}: must be given")
        elif text:
            try:
                values[name] = readers[name](text)
            except (ValueError, UnknownName) as error:
                mistakes.append(f"{name}: {error}")
    if not mistakes and values["best"] < values["last"]:
        mistakes.append(f"best ({values['best']}) is below last ({values['last']}), which is one of its epochs")
    return mistakes or Row(line=line, **values)


def _readers(datasets: Collection[str]) -> Mapping[str, Callable[[str], Any]]:
    """What reads the text of a column, raising ValueError or UnknownName."""
    known: dict[str, Callable[[str], Any]] = {
        "method": _name,
        "dataset": lambda text: check("data set", text, datasets),
        "model": models.check,
        "bits": Bits.parse,
        "schedule": check_name,
        "seed": _seed,
        "commit": _commit,
        "precision": lambda text: check("precision", text, PRECISIONS),
        "options": _options,
    }
    return {f.name: str for f in fields(Row)} | dict.fromkeys(SHARES, _share) | known


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", text):
        raise ValueError(f"'{text}' is no name; write lower-case letters, digits and . _ - alone, e.g. gdfq")
    return text


def _seed(text: str) -> int:
    if not re.fullmatch(r"\d+", text, re.ASCII):
        raise ValueError(f"'{text}' is no seed; write a whole number from 0")
    return int(text)


def _commit(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{7,40}", text):
        raise ValueError(f"'{text}' is no commit; write 7 to 40 hexadecimal digits, as `git rev-parse HEAD` gives them")
    return text


def _share(text: str) -> float:
    """A share from `0.6783` or `67.83%`."""
    try:
        value = Decimal(text.removesuffix("%").rstrip())
    except InvalidOperation:
        value = Decimal("NaN")
    share = value / 100 if text.endswith("%") else value
    if not (share.is_finite() and 0 <= share <= 1):
        raise ValueError(f"'{text}' is neither a share in [0, 1] nor a percentage; write e.g. 0.6783 or 67.83%")
    return float(share)


def _options(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(";")]
    names = [name.strip() for name, _, _ in pairs]
    if not all(name and equals and value.strip() for name, (_, equals, value) in zip(names, pairs, strict=True)):
        raise ValueError(f"'{text}' is not of the form name=value; name=value")
    if len(set(names)) < len(names):
        raise ValueError(f"'{text}' gives an option twice")
    return {name: value.strip() for name, (_, _, value) in zip(names, pairs, strict=True)}

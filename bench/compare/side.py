"""The sides of a comparison: methods, suites, or the results of commits and folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from bench.compare import git
from bench.compare.choice import of_suite
from bench.compare.errors import CommitUnusable, NothingToCompare
from bench.compare.named import Named
from bench.compare.runs import Run, load
from bench.names import unknown
from bench.suite import read

Kind = Literal["methods", "suites", "results"]


@dataclass(frozen=True)
class Side:
    """What a person named, and its runs.

    Attributes:
        kind: what both sides must be alike in. unusable: records that were left out, and why.
        precision: pattern of that of training, where a method was named with one.
    """

    told: str
    kind: Kind
    runs: tuple[Run, ...]
    unusable: tuple[str, ...]
    precision: str = "*"


def sides(a: str, b: str, results: Path) -> tuple[Side, Side]:
    """Both sides of a comparison.

    A name that ends in `.toml` is a suite; others are a method of the stored runs, else a results folder or a commit.

    Raises:
        NothingToCompare: if a side has no runs, or one is of another kind than the other.
        CommitUnusable: if a commit has no records. SuiteInvalid: for a suite with mistakes.
    """
    stored = load(results)

    def side(text: str) -> Side:
        if text.endswith(".toml"):
            covers = of_suite(read(Path(text)))
            return Side(text, "suites", tuple(filter(covers, stored.found)), stored.unusable)
        named = Named.parse(text)
        if found := tuple(filter(named.covers, stored.found)):
            return Side(text, "methods", found, stored.unusable, named.precision)
        return _elsewhere(text, results) or _nothing(text, stored.found, results)

    first, second = side(a), side(b)
    for one in (first, second):
        if not one.runs:
            raise NothingToCompare(f"'{one.told}' has no finished runs in {results}; run it first")
    if first.kind != second.kind:
        kinds = f"'{a}' names {first.kind}, '{b}' {second.kind}"
        raise NothingToCompare(f"{kinds}; give two methods, two suites, or two commits or results folders")
    return first, second


def _elsewhere(text: str, results: Path) -> Side | None:
    """The runs in another results folder, or in this one at a commit; None where the text is neither."""
    if (Path(text) / "records").is_dir():
        found = load(Path(text))
        return Side(text, "results", found.found, found.unusable)
    commit = git.commit_of(results, text)
    if commit is None:
        return None
    with TemporaryDirectory(prefix="bench-compare-") as folder:
        git.unpack(results, commit, Path(folder), ["records"])
        found = load(Path(folder))
    if not found.found:
        raise CommitUnusable(f"commit {text} ({commit[:12]}) has no finished runs under {results}")
    return Side(text, "results", found.found, found.unusable)


def _nothing(text: str, stored: Sequence[Run], results: Path) -> Side:
    known = {run.name for run in stored}
    told = f"no runs, suite or commit: {unknown('method', text, known)}" if known else f"{results} has no runs yet"
    raise NothingToCompare(f"'{text}' names {told}")

"""The tables of a results folder: build, render, write, check. The same records give the same bytes anywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from bench.files import write_text
from bench.report.contents import Report, build
from bench.report.document import Document
from bench.report.documents import KINDS, documents
from bench.report.frame import csv, frame
from bench.report.latex import latex
from bench.report.markdown import markdown
from bench.report.terminal import terminal

__all__ = ["Report", "build", "csv", "frame", "latex", "markdown", "orphans", "stale", "terminal", "write"]

_RENDERERS = {".csv": csv, ".md": markdown, ".tex": latex}


def write(results: Path, report: Report | None = None) -> list[Path]:
    """Write every table of a results folder, each whole or not at all; returns their paths.

    Accuracies go to `tables/<dataset>.{csv,md,tex}`, other kinds to `tables/<kind>/<dataset>.{csv,md,tex}`.

    Args:
        report: what was built from the folder; built here if not given.

    Raises:
        ResultsUnwritable: if the folder cannot be written to.
    """
    paths = []
    for path, text in rendered(results, report or build(results)):
        write_text(path, text)
        paths.append(path)
    return paths


def stale(results: Path) -> list[Path]:
    """Table files that are absent or differ from what the records give today; empty if all are as they should be."""
    return [path for path, text in rendered(results, build(results)) if content(path) != text.encode()]


def rendered(results: Path, report: Report) -> Iterator[tuple[Path, str]]:
    """Every file of a report with its text."""
    for document in documents(report):
        for suffix, render in _RENDERERS.items():
            yield results / "tables" / f"{_stem(document)}{suffix}", render(document)


def orphans(results: Path, current: Collection[Path]) -> list[Path]:
    """Table files of data sets, or kinds of table, that are not among the `current` ones."""
    folders = [results / "tables", *(results / "tables" / kind for kind in KINDS)]
    stems = [path for folder in folders for path in sorted(folder.glob("*.csv")) if path not in current]
    files = [path.with_suffix(suffix) for path in stems for suffix in _RENDERERS]
    return [path for path in files if path.is_file()]


def content(path: Path) -> bytes | None:
    """What a file holds, or None where there is none."""
    return path.read_bytes() if path.is_file() else None


def _stem(document: Document) -> str:
    return document.dataset if document.kind == "accuracy" else f"{document.kind}/{document.dataset}"

"""The tables of a results folder: build, render, write, check. The same records give the same bytes anywhere."""

from __future__ import annotations

from pathlib import Path

from bench.files import write_text
from bench.report.contents import Report, build
from bench.report.frame import csv, frame
from bench.report.latex import latex
from bench.report.markdown import markdown
from bench.report.terminal import terminal

__all__ = ["Report", "build", "csv", "frame", "latex", "markdown", "stale", "terminal", "write"]

_RENDERERS = {".csv": csv, ".md": markdown, ".tex": latex}


def write(results: Path) -> list[Path]:
    """Write `tables/<dataset>.{csv,md,tex}` below a results folder, each whole or not at all; returns their paths.

    Raises:
        ResultsUnwritable: if the folder cannot be written to.
    """
    rendered = _rendered(results)
    for path, text in rendered.items():
        write_text(path, text)
    return list(rendered)


def stale(results: Path) -> list[Path]:
    """Table files that are absent or differ from what the records give today; empty if all are as they should be."""
    return [path for path, text in _rendered(results).items() if _content(path) != text.encode()]


def _rendered(results: Path) -> dict[Path, str]:
    report = build(results)
    parts = {dataset: report.only(dataset) for dataset in report.datasets}
    return {
        results / "tables" / f"{dataset}{suffix}": render(part)
        for dataset, part in parts.items()
        for suffix, render in _RENDERERS.items()
    }


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None

"""The plots of a results folder as files: `plots/<board>-<plot>.svg`."""

from __future__ import annotations

import re
from pathlib import Path

from bench.files import write_bytes
from bench.plots.choice import KINDS, closeups, overviews
from bench.plots.draw import svg
from bench.plots.figure import Figure
from bench.plots.sources import Sources
from bench.report.contents import build


def write(results: Path) -> list[Path]:
    """Write every plot of a results folder, each whole or not at all, and remove those that are no more; their paths.

    Raises:
        MissingExtra: if matplotlib is not installed. ResultsUnwritable: if the folder cannot be written to.
    """
    folder = results / "plots"
    drawn = {folder / name: svg(figure) for name, figure in _named(results).items()}
    for path, data in drawn.items():
        write_bytes(path, data)
    for path in set(folder.glob("*.svg")) - set(drawn):
        if path.stem.rpartition("-")[2] in KINDS:
            path.unlink(missing_ok=True)
    return list(drawn)


def _named(results: Path) -> dict[str, Figure]:
    report, sources = build(results), Sources(results)
    return {
        f"{re.sub(r'[^A-Za-z0-9._-]', '-', sheet.board.key)}-{figure.kind}.svg": figure
        for sheet in report.sheets
        for figure in (*overviews(sheet, report.measured), *closeups(sheet, sources))
    }

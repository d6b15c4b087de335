"""The page: everything in one file, which loads nothing and asks no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from bench.files import write_text
from bench.page.contents import Contents
from bench.page.markup import block, text
from bench.plots import style

_TITLE = "Low-bit quantization of image classifiers: results"
_STYLE = {"ink": style.INK, "colours": style.COLOURS, "markers": style.MARKERS, "dashes": style.DASHES}


def write(results: Path) -> Path:
    """Write `index.html` into a results folder, whole or not at all; returns its path.

    Raises:
        ResultsUnwritable: if the folder cannot be written to.
    """
    path = results / "index.html"
    write_text(path, page(results))
    return path


def stale(results: Path) -> Path | None:
    """The page's path if it is absent or not what the records give today; None if it is as it should be."""
    path = results / "index.html"
    return None if path.is_file() and path.read_bytes() == page(results).encode() else path


def page(results: Path) -> str:
    """The page of a results folder: the same text on every machine for the same records."""
    contents = Contents(results)
    parts = [_head(), _top(contents), *contents.parts(), _foot(), *_blocks(contents), _script(), "</body></html>"]
    return "\n".join(parts) + "\n"


def _head() -> str:
    look = _asset("page.css")
    allowed = f"default-src 'none'; script-src {_sha(_code())}; style-src {_sha(look)}; img-src 'self' file:"
    policy = f"{allowed}; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(_TITLE)}</title>\n<style>{look}</style></head><body>"
    )


def _top(contents: Contents) -> str:
    report = contents.report
    seeds = sum(row.n for sheet in report.sheets for row in sheet.rows)
    told = f"{seeds:,} runs in {len(report.sheets):,} tables of {', '.join(report.datasets) or 'no data set yet'}."
    return (
        f"<header><h1>{text(_TITLE)}</h1>\n"
        f'<p class="faint">{text(told)} Select a row for its records: spec, environment, curves, and the command that '
        "runs it again.</p>\n<noscript><p>Sorting, filters, plots and records need JavaScript; tables do not.</p>"
        f"</noscript></header>\n<main>\n{_form(contents)}"
    )


def _form(contents: Contents) -> str:
    sheets = contents.report.sheets
    rows = (row for sheet in sheets for row in sheet.rows)
    widths = sorted({row.entry.league.bits for row in rows})
    schedules = dict.fromkeys(sheet.board.schedule for sheet in sheets)
    choices = [
        _select("dataset", "Data set", contents.report.datasets),
        _select("schedule", "Schedule", schedules),
        _select("bits", "Bits", map(str, widths)),
    ]
    return (
        '<form aria-label="Filter rows"><label class="wide">Method or any text'
        '<input type="search" name="text" autocomplete="off"></label>'
        f'{"".join(choices)}<button type="reset">Show all</button>'
        '<output id="shown" aria-live="polite"></output></form>'
    )


def _select(name: str, label: str, values: Iterator[str] | dict[str, None] | list[str]) -> str:
    options = "".join(f'<option value="{text(value)}">{text(value)}</option>' for value in values)
    return f'<label>{label}<select name="{name}"><option value="">all</option>{options}</select></label>'


def _foot() -> str:
    return (
        "</main>\n<footer><p>Made from the records under results/ alone, by python -m bench page. Records are the "
        "truth; this page shows numbers of curves at four digits and leaves out the bits that say which test images "
        "were classified correctly.</p></footer>\n"
        '<dialog aria-labelledby="opened"><div class="inner"><div class="bar"><h2 id="opened"></h2>'
        '<button type="button" class="close">Close</button></div>'
        '<div class="seeds" role="group" aria-label="Seeds"></div><div class="content"></div></div></dialog>'
    )


def _blocks(contents: Contents) -> Iterator[str]:
    yield block(_STYLE, id="style")
    for key, detail in contents.details.all().items():
        yield block(detail, data_record=key)
    yield block(contents.details.shared, id="shared")


def _script() -> str:
    return f"<script>{_code()}</script>"


def _code() -> str:
    return _asset("charts.js") + _asset("page.js")


def _asset(name: str) -> str:
    return resources.files("bench.page").joinpath(name).read_text(encoding="utf-8")


def _sha(content: str) -> str:
    """What a policy calls an inline script or style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"

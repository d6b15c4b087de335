"""The table in a README: one board between two markers, everything else as it was."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError
from bench.report import accuracy
from bench.report.contents import Report
from bench.report.markdown import body
from bench.report.rows import Sheet
from bench.report.text import for_markdown

START, END = "<!-- bench:start -->", "<!-- bench:end -->"


class ReadmeInvalid(BenchError):
    """A README that has no place for the table."""


def updated(path: Path, report: Report) -> str:
    """The text of a README with the table of today between its markers.

    Raises:
        ReadmeInvalid: if it cannot be read, or has not each marker once, in order.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReadmeInvalid(f"{path}: not readable ({error})") from error
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in rest or END in before + after:
        raise ReadmeInvalid(f"{path}: write {START} and {END} once each, in this order, where the table shall stand")
    return f"{before}{START}\n{_block(report)}\n{END}{after}"


def shown(report: Report) -> Sheet | None:
    """The board of a README: the first that compares two methods or more, else the first; None where there is none.

    Boards stand in the order of all tables: real data first, by name, and of schedules the published one first.
    """
    several = [sheet for sheet in report.sheets if len({row.entry.method for row in sheet.rows}) > 1]
    return next(iter([*several, *report.sheets]), None)


def _block(report: Report) -> str:
    sheet = shown(report)
    if sheet is None:
        return "There are no results yet."
    ranking = accuracy.ranking(sheet)
    return f"**{for_markdown(ranking.title)}**\n\n{body(ranking)}"

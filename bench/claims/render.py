"""Claims with their findings as Markdown and for the terminal; pure functions of findings."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from bench.claims.file import Claims
from bench.claims.layout import ALIGNMENT, COLUMNS, LEGEND, Section, lay_out, summary
from bench.claims.verdict import Finding
from bench.report.text import clipped, for_markdown

WIDTH = 120
UNLIKE = "Differs from the paper:"


def markdown(claims: Claims, findings: Sequence[Finding], unusable: Sequence[str]) -> str:
    """The page as Markdown."""
    blocks = ["# What the papers claim, and what the records say", f"{LEGEND}", f"**{summary(findings)}.**"]
    for section in lay_out(findings):
        blocks += [f"## {for_markdown(section.title)}", for_markdown(section.says), _table(section, "pipe")]
        blocks += [f"{UNLIKE}\n\n{_bullets(section.unlike)}"] if section.unlike else []
    blocks += [f"## {heading}\n\n{_bullets(lines)}" for heading, lines in _lists(claims, unusable)]
    return "\n\n".join(blocks) + "\n"


def terminal(claims: Claims, findings: Sequence[Finding], unusable: Sequence[str]) -> str:
    """The page as text that ends with a newline."""
    blocks = []
    for section in lay_out(findings):
        unlike = ["", UNLIKE, *(_wrapped(f"- {line}") for line in section.unlike)] if section.unlike else []
        blocks.append("\n".join([section.title, _wrapped(section.says), "", _table(section, "simple"), *unlike]))
    for heading, lines in _lists(claims, unusable):
        blocks.append("\n".join([heading, *(_wrapped(f"- {line}") for line in lines)]))
    return "\n\n".join([*blocks, f"{textwrap.fill(LEGEND, WIDTH)}\n\n{summary(findings)}"]) + "\n"


def _lists(claims: Claims, unusable: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Headings and lines of what no finding is about."""
    beyond = [f"{other.paper}: {other.says} Not tested: {other.why}" for other in claims.out_of_scope]
    left_out = [clipped(line) for line in unusable]
    lists = [("Out of scope", beyond), ("Left out: records that could not be read or used", left_out)]
    return [(heading, lines) for heading, lines in lists if lines]


def _table(section: Section, form: str) -> str:
    from tabulate import tabulate

    escaped = for_markdown if form == "pipe" else str
    lines = [[escaped(cell) for cell in line] for line in section.lines]
    text: str = tabulate(lines, COLUMNS, form, disable_numparse=True, colalign=ALIGNMENT)
    return text


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {for_markdown(line)}" for line in lines)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)

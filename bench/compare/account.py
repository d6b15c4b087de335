"""The account of a regression check: for the terminal, and as Markdown for a pull request."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.compare.judgement import LEVEL, Judged
from bench.compare.trial import Runs
from bench.report.figures import ABSENT, percent, points
from bench.report.text import for_markdown, narrow
from bench.stats import MINIMUM_SEEDS
from bench.stats.margin import MOST_LOOKS

WIDTH = 120
_LEFT = ("bits", "interval", "verdict", "new is")


@dataclass(frozen=True)
class Account:
    """What was checked, against what, and what came out.

    Attributes:
        method: name and version. baseline: what it was set against, and why that. notes: what else to know.
    """

    method: str
    baseline: str
    judged: tuple[Judged, ...]
    notes: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        return narrow(f"{self.method} (new) against {self.baseline}: {self.verdict}")

    @property
    def verdict(self) -> str:
        """The worst of all verdicts: of one trial that fails, the whole fails."""
        found = {one.verdict for one in self.judged}
        return next((word for word in ("fail", "cannot tell") if word in found), "pass")


def terminal(account: Account) -> str:
    """The account for people at a terminal."""
    tables = [f"{where}\n\n{_table(judged, 'simple')}" for where, judged in _sections(account)]
    return "\n\n".join([account.heading, *tables, "\n".join(map(_wrapped, _lines(account)))]) + "\n"


def markdown(account: Account) -> str:
    """The account as GitHub-flavoured Markdown."""
    tables = [f"### {for_markdown(where)}\n\n{_table(judged, 'pipe')}" for where, judged in _sections(account)]
    lines = "\n".join(f"- {for_markdown(line)}" for line in _lines(account))
    return "\n\n".join([f"## {for_markdown(account.heading)}", *tables, lines]) + "\n"


def _sections(account: Account) -> list[tuple[str, list[Judged]]]:
    """Trials by where they were."""
    found: dict[str, list[Judged]] = {}
    for one in account.judged:
        found.setdefault(narrow(one.trial.where), []).append(one)
    return list(found.items())


def _table(judged: Sequence[Judged], form: str) -> str:
    from tabulate import tabulate

    rows = [_row(one) for one in judged]
    alignment = ["left" if column in _LEFT else "right" for column in rows[0]]
    lines = [list(row.values()) for row in rows]
    text: str = tabulate(lines, list(rows[0]), tablefmt=form, disable_numparse=True, colalign=alignment)
    return text


def _row(one: Judged) -> dict[str, str]:
    trial, found = one.trial, one.difference
    return {
        "bits": str(trial.bits),
        "n": str(len(trial.reference.found)),
        "baseline": _mean(trial.reference),
        "n new": str(len(trial.new.found)),
        "new": _mean(trial.new),
        "new - baseline": points(found.estimate) if found else ABSENT,
        "interval": f"[{points(found.low)}, {points(found.high)}]" if found else ABSENT,
        "margin": f"{100 * trial.margin:.2f}",
        "look": str(one.look or ABSENT),
        "new is": one.direction,
        "verdict": one.verdict,
    }


def _mean(runs: Runs) -> str:
    return percent(fmean(runs.lasts)) if runs.found else ABSENT


def _wrapped(line: str) -> str:
    return textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _lines(account: Account) -> list[str]:
    """Why each verdict, what else to know, and how to read the table."""
    why = [f"{one.trial.bits} {narrow(one.trial.where)}: {one.verdict}: {one.reason}." for one in account.judged]
    baselines = dict.fromkeys(f"baseline: {narrow(one.trial.baseline)}." for one in account.judged)
    return [*why, *baselines, *(f"{narrow(note)}." for note in account.notes), _WORDS]


_SHARE = (1 - LEVEL) / MOST_LOOKS
_WORDS = (
    "Percent of test images right after the last epoch, mean over n seeds that start from one full-precision model; "
    f"differences in points. Interval: {100 * (1 - _SHARE):g} % over seeds (Welch), so that {MOST_LOOKS} looks "
    f"together err in at most {100 * (1 - LEVEL):.0f} %. pass: it lies above -margin. fail: it lies below 0, but not "
    "above -margin. new is: better or worse where it excludes 0. With several lines, that and fail are said at an "
    f"error rate divided by their number. Under {MINIMUM_SEEDS} seeds a side nothing is judged."
)

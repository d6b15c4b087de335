"""Comparisons as text: for the terminal, and as Markdown."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from bench.compare.contrast import Contrast, contrasts
from bench.compare.pairs import Pair, Pairs, pairs
from bench.compare.side import Side
from bench.report.figures import ABSENT, percent, points
from bench.report.leagues import League
from bench.report.notes import title
from bench.report.text import for_markdown, narrow
from bench.stats.crossed import Components
from bench.stats.difference import Difference
from bench.stats.margin import Verdict

WIDTH = 120
_MOST = 10
_RIGHT = ("n a", "a", "n b", "b", "b - a", "p", "adj. p", "MDE")


@dataclass(frozen=True)
class Comparison:
    """Two sides, what was paired, and what it says."""

    a: Side
    b: Side
    pairs: Pairs
    contrasts: tuple[Contrast, ...]
    margin: float | None = None

    @classmethod
    def of(cls, a: Side, b: Side, margin: float | None = None) -> Comparison:
        """Compare b with a; and where a `margin` is given, a share in (0, 1), ask whether they are equal within it."""
        met = pairs(a, b)
        return cls(a, b, met, tuple(contrasts(met.pairs, margin=margin)), margin)

    @property
    def heading(self) -> str:
        """What is compared, in one line."""
        return f"{narrow(self.b.told)} (b) against {narrow(self.a.told)} (a)"

    @property
    def summary(self) -> str:
        """How often b is called better, and how often worse."""
        calls = Counter(contrast.call for contrast in self.contrasts)
        open_ones = len(self.contrasts) - calls["better"] - calls["worse"]
        return f"b is better in {calls['better']}, worse in {calls['worse']}, and {open_ones} cannot be called."


def terminal(comparison: Comparison) -> str:
    """The comparison for people at a terminal."""
    blocks = [comparison.heading]
    for heading, columns, lines in _sections(comparison.contrasts):
        blocks.append(f"{heading}\n\n{_tabulated(columns, lines, 'simple')}")
    notes = "\n".join(map(_wrapped, _notes(comparison)))
    return "\n\n".join([*blocks, notes]) + "\n"


def markdown(comparison: Comparison) -> str:
    """The comparison as GitHub-flavoured Markdown."""
    blocks = [f"# {for_markdown(comparison.heading)}"]
    for heading, columns, lines in _sections(comparison.contrasts):
        escaped = [[for_markdown(cell) for cell in line] for line in lines]
        blocks.append(f"## {for_markdown(heading)}\n\n{_tabulated(columns, escaped, 'pipe')}")
    notes = "\n".join(f"- {for_markdown(note)}" for note in _notes(comparison))
    return "\n\n".join([*blocks, notes]) + "\n"


def _sections(found: Sequence[Contrast]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Heading, columns and lines of each table; columns that say nothing are left out."""
    sections = []
    for heading, group in groupby(found, key=lambda contrast: _heading(contrast.pair)):
        rows = [_line(contrast) for contrast in group]
        columns = [name for name in rows[0] if any(row[name] != ABSENT for row in rows)]
        sections.append((heading, columns, [[row[name] for name in columns] for row in rows]))
    return sections


def _heading(pair: Pair) -> str:
    boards = dict.fromkeys([title(pair.a.league.board), title(pair.b.league.board)])
    return " against ".join(reversed(boards))


def _line(contrast: Contrast) -> dict[str, str]:
    pair, found, models = contrast.pair, contrast.difference, contrast.models
    return {
        "bits": str(pair.a.league.bits),
        "method a": _label(pair, pair.a.label, pair.a.entry.version),
        "n a": str(pair.a.n),
        "a": percent(pair.a.mean),
        "method b": _label(pair, pair.b.label, pair.b.entry.version),
        "n b": str(pair.b.n),
        "b": percent(pair.b.mean),
        "b - a": points(contrast.estimate),
        "interval": _interval(found),
        "further images": _interval(contrast.crossed),
        "p": _probability(found.p if found else None),
        "adj. p": _probability(contrast.adjusted),
        "MDE": percent(contrast.detectable),
        "noise a": _noise(contrast.noise_a),
        "noise b": _noise(contrast.noise_b),
        "two models": f"+{models.gained} -{models.lost} p {_probability(models.p)}" if models else ABSENT,
        "equal": _equality(contrast.equal),
        "b is": contrast.call,
    }


def _equality(found: Verdict | None) -> str:
    if found is None:
        return ABSENT
    if found.verdict != "cannot tell":
        return {"pass": "yes", "fail": "no"}[found.verdict]
    return f"cannot tell; {found.more_of_each} more seeds" if found.more_of_each else "cannot tell, nor soon"


def _interval(found: Difference | None) -> str:
    return f"[{points(found.low)}, {points(found.high)}]" if found else ABSENT


def _noise(found: Components | None) -> str:
    return f"{percent(found.observed_sd)} | {percent(found.image_sd)}" if found else ABSENT


def _label(pair: Pair, label: str, version: str) -> str:
    """A method's label, with its version and league where these are what differs."""
    alike = pair.a.label == pair.b.label and pair.a.entry.version != pair.b.entry.version
    return narrow(f"{label} {version}") if alike else label


def _probability(p: float | None) -> str:
    if p is None:
        return ABSENT
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _tabulated(columns: list[str], lines: list[list[str]], form: str) -> str:
    from tabulate import tabulate

    alignment = ["right" if column in _RIGHT else "left" for column in columns]
    widths = [18 if column.startswith("method") and form == "simple" else None for column in columns]
    text: str = tabulate(lines, columns, tablefmt=form, disable_numparse=True, colalign=alignment, maxcolwidths=widths)
    return text


def _wrapped(note: str) -> str:
    return textwrap.fill(note, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _notes(comparison: Comparison) -> list[str]:
    """What the tables say and leave out, one line each."""
    met = comparison.pairs
    notes = [comparison.summary if comparison.contrasts else "Nothing of the two sides can be set against each other."]
    notes += [_WORDS] if comparison.contrasts else []
    notes += [_EQUAL.format(percent(comparison.margin))] if comparison.margin and comparison.contrasts else []
    notes += [_MODELS] if any(contrast.models for contrast in comparison.contrasts) else []
    notes += list(dict.fromkeys(filter(None, (_leagues(pair) for pair in met.pairs))))
    notes += [f"{met.same} lines left out: both sides have the very same results."] if met.same else []
    for side, count in zip("ab", met.alone, strict=True):
        notes += [f"{count} of {side} have nothing to be set against on the other side."] if count else []
    unusable = list(dict.fromkeys([*comparison.a.unusable, *comparison.b.unusable]))
    notes += [f"left out: {line}" for line in unusable[:_MOST]]
    return notes + ([f"... and {len(unusable) - _MOST} more records left out"] if len(unusable) > _MOST else [])


def _leagues(pair: Pair) -> str | None:
    """What keeps two groups from standing in one league, if anything does."""
    told = [f"{name} {one} against {other}" for name, one, other in _settings(pair.b.league, pair.a.league)]
    return f"another league: {narrow('; '.join(told))}; b is called neither better nor worse." if told else None


def _settings(one: League, other: League) -> list[tuple[str, str, str]]:
    both = [
        ("schedule", one.board.schedule, other.board.schedule),
        ("precision", one.board.precision, other.board.precision),
        ("data access", one.access, other.access),
        ("quantizer", one.quantizer, other.quantizer),
    ]
    return [setting for setting in both if setting[1] != setting[2]]


_WORDS = (
    "a, b: percent of test images right after the last epoch, mean over n seeds that start from one full-precision "
    "model. b - a: points, with its 95 % interval and p (Welch), which are about further seeds on these test images; "
    "further images: the interval about further test images, too. adj. p: after Benjamini-Hochberg over all lines that "
    "can be called. MDE: minimal detectable effect, the true difference that so many seeds would show four times in "
    "five. noise: standard deviation, in points, of one trained model's accuracy over seeds | over draws of the test "
    "images, which all seeds share. Under five seeds a side nothing is called better or worse."
)
_EQUAL = (
    "equal: whether a and b are within {} points of each other by two one-sided tests, that is whether the interval of "
    "b - a is; where nobody can tell, how many more seeds would probably do, if any number within reason. Each line by "
    "itself."
)
_MODELS = (
    "two models: images that only b's model has right (+), and only a's (-), with McNemar's exact p. It speaks of "
    "these two trained models, not of the methods."
)

"""Findings as text, the same for terminal and Markdown: a section a claim, with lines of a table and notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

from bench.claims.evidence import Run
from bench.claims.file import Claim, Comparison, Spot
from bench.claims.verdict import CANNOT_TELL, NOT_RUN, VERDICTS, Finding
from bench.report.figures import ABSENT, percent, points
from bench.report.text import narrow
from bench.stats import MINIMUM_SEEDS

COLUMNS = (
    "at", "compared", "schedule", "n", "of", "over", "difference", "95 % interval", "best", "claimed", "verdict"
)  # fmt: skip
ALIGNMENT = ("left", "left", "left", *["right"] * 4, "left", "right", "right", "left")
LEGEND = (
    f"Top-1 in percent and differences in points after the last epoch; `best` is the difference of the best epochs on "
    f"test images, which papers report. Intervals (Welch, over seeds) are of each line alone. Under {MINIMUM_SEEDS} "
    "seeds a side nothing is told. A verdict is final at schedule paper alone."
)


@dataclass(frozen=True)
class Section:
    """What is shown of one claim; `unlike` is how what was run differs from the paper."""

    title: str
    says: str
    lines: tuple[tuple[str, ...], ...]
    unlike: tuple[str, ...]


def lay_out(findings: Iterable[Finding]) -> list[Section]:
    """A section for each claim, in order."""
    return [_section(claim, list(found)) for claim, found in groupby(findings, lambda finding: finding.claim)]


def summary(findings: Sequence[Finding]) -> str:
    """How many comparisons came to which verdict, each in its first setting."""
    first = {(f.claim.name, f.spot, f.comparison): f for f in reversed(findings)}
    counts = Counter(finding.verdict for finding in first.values())
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    final = sum(finding.final and finding.verdict != CANNOT_TELL for finding in first.values())
    return f"{len(first)} comparisons: {told}; {final} of these verdicts final"


def _section(claim: Claim, found: Sequence[Finding]) -> Section:
    unlike = (*claim.unlike, *_differences(claim, found))
    return Section(f"{claim.name}: {claim.paper}", claim.says, tuple(map(_line, found)), unlike)


def _line(finding: Finding) -> tuple[str, ...]:
    comparison, spot = finding.comparison, finding.spot
    where = f"{spot.dataset} {spot.bits}"
    named = f"{comparison.of} - {comparison.over}"
    claimed = _claimed(comparison, spot)
    if finding.setting is None:
        return where, named, *[ABSENT] * 7, claimed, f"{NOT_RUN} ({_lacking(finding)})"
    difference = finding.difference
    interval = f"[{_told(comparison, difference.low)}, {_told(comparison, difference.high)}]" if difference else ABSENT
    return (
        where,
        named,
        finding.setting.schedule,
        "/".join(dict.fromkeys(str(len(runs)) for runs in (finding.of, finding.over))),
        _level(finding, finding.of),
        _level(finding, finding.over),
        _told(comparison, finding.estimate),
        interval,
        _told(comparison, finding.best),
        claimed,
        _verdict(finding),
    )


def _claimed(comparison: Comparison, spot: Spot) -> str:
    if comparison.expect == "gain":
        return _told(comparison, spot.gain)
    if comparison.expect == "within":
        return f"above {-comparison.margin:.2f}"
    zero = "1.00x" if comparison.measure == "gradient" else "0"
    return f"{'above' if comparison.expect == 'more' else 'below'} {zero}"


def _lacking(finding: Finding) -> str:
    return f"no run of {' or '.join(finding.lacking)}" if finding.lacking else "never both in one setting"


def _verdict(finding: Finding) -> str:
    """The verdict, with what has to be said beside it."""
    fewest = min(len(finding.of), len(finding.over))
    if fewest < MINIMUM_SEEDS:
        return f"{finding.verdict} ({fewest} of {MINIMUM_SEEDS} seeds)"
    return finding.verdict if finding.final or finding.verdict == CANNOT_TELL else f"{finding.verdict} (not final)"


def _level(finding: Finding, runs: Sequence[Run]) -> str:
    """The mean of an arm: top-1 in percent, or the geometric mean of gradients' norms."""
    values = finding.values(runs)
    return f"{2 ** fmean(values):.3g}" if finding.comparison.measure == "gradient" else percent(fmean(values) / 100)


def _told(comparison: Comparison, difference: float | None) -> str:
    """A difference in points, or the factor that so many doublings are."""
    if difference is None:
        return ABSENT
    return f"{2**difference:.2f}x" if comparison.measure == "gradient" else points(difference / 100)


def _differences(claim: Claim, found: Sequence[Finding]) -> Iterator[str]:
    """How the settings that were run in differ from the paper's, a line each."""
    seen: dict[str, None] = {}
    for finding in found:
        setting = finding.setting
        if setting is None:
            continue
        parts = [] if finding.final else [f"schedule {setting.schedule}, not the published one"]
        parts += [] if setting.precision == "fp32" else [f"trained in {setting.precision}"]
        init, full = finding.of[0].init, claim.full.get(finding.spot.dataset)
        if init is not None and full is not None:
            parts.append(f"full precision is {percent(init)}, the paper's {full:.2f}")
        seen[narrow(f"{finding.spot.dataset} on {setting.platform}: {', '.join(parts)}")] = None
    yield from seen

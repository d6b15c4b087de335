"""`reference freeze METHOD`, `reference ls`: frozen runs that regression checks compare against."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.common import add_results
from bench.cli.filters import told
from bench.spec import Bits
from bench.sweep.wish import bits_patterns

if TYPE_CHECKING:
    from bench.compare.reference import Reference


def options(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    freeze = actions.add_parser("freeze", help="freeze a method's stored runs, with a margin")
    freeze.add_argument("method", metavar="METHOD", help="e.g. gdfq, or 'akt form=0'")
    freeze.add_argument("--suite", type=Path, help="only runs of this suite's cells")
    freeze.add_argument("--dataset", metavar="GLOB", default="*", help="only data sets that match this glob")
    freeze.add_argument("--bits", type=told(bits_patterns), default=(), help="only these bit-widths, e.g. W4A4,W3A3")
    freeze.add_argument("--schedule", metavar="GLOB", default="*", help="only schedules that match this glob")
    freeze.add_argument(
        "--margin",
        type=_margins,
        default={},
        metavar="POINTS",
        help="how much worse is still good enough, e.g. 0.5 or W4A4=0.5,W3A3=1 (default: 0.5; 1 at 3 bits)",
    )
    freeze.add_argument("--because", default="", metavar="REASON", help="why a reference that is there is replaced")
    add_results(freeze)
    add_results(actions.add_parser("ls", help="list references, each checked against its digest"))


def run(parsed: argparse.Namespace) -> int:
    return _freeze(parsed) if parsed.action == "freeze" else _list(parsed.results)


def _freeze(parsed: argparse.Namespace) -> int:
    from bench.compare import reference
    from bench.compare.choice import Choice, chosen
    from bench.compare.freezing import freeze, settle

    choice = Choice(parsed.suite, parsed.dataset, parsed.schedule, parsed.bits)
    frozen = freeze(chosen(parsed.results, parsed.method, choice), parsed.margin, parsed.results)
    for line in frozen.left_out:
        print(f"left out: {line}")
    settled = [(found, settle(found, parsed.results, parsed.because)) for found in frozen.references]
    for found, final in settled:
        path = reference.write(parsed.results, final) if final else found.path(parsed.results)
        print(f"{path}: {_told(found)}" if final else f"{path}: unchanged")
    return 0


def _list(results: Path) -> int:
    from bench.compare.reference import stored

    for path, found in stored(results).items():
        print(f"{path.name}: {found.version}, {found.date}, {_told(found)}, replaced {len(found.history)} times")
    return 0


def _told(found: Reference) -> str:
    widths = [(bits, found.widths[str(bits)]) for bits in found.bits]
    return "; ".join(f"{bits} {len(width.runs)} seeds, margin {100 * width.margin:g}" for bits, width in widths)


def _margins(text: str) -> dict[str, float]:
    """Margins as shares by bits; one without bits is for all."""
    margins: dict[str, float] = {}
    for part in text.split(","):
        bits, _, points = part.rpartition("=")
        try:
            margins[str(Bits.parse(bits)) if bits else ""] = margin = float(points) / 100
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"'{part}' is no margin in points such as 0.5 or W4A4=0.5") from error
        if not 0 < margin < 1:
            raise argparse.ArgumentTypeError(f"margin {points} is not between 0 and 100 points")
    return margins

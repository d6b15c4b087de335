"""`compare A B`: the difference between two methods, suites or commits, league by league."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.cli.common import add_results


def options(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "A and B are methods ('akt form=0', 'ada*', 'gdfq precision=bf16'), suites (suites/a.toml), or commits or "
        "results folders. Only stored runs are compared; nothing is trained."
    )
    parser.add_argument("a", metavar="A", help="what B is compared with")
    parser.add_argument("b", metavar="B", help="what is compared")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the comparison to this file, too")
    parser.add_argument("--within", type=_margin, metavar="POINTS", help="ask whether A and B are equal within this")
    add_results(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.compare import table
    from bench.compare.side import sides
    from bench.files import write_text

    comparison = table.Comparison.of(*sides(parsed.a, parsed.b, parsed.results), parsed.within)
    if parsed.markdown:
        write_text(parsed.markdown, table.markdown(comparison))
    print(table.terminal(comparison), end="")
    return 0


def _margin(text: str) -> float:
    """Points of accuracy as a share."""
    try:
        points = float(text)
    except ValueError:
        points = 0.0
    if not 0 < points < 100:
        raise argparse.ArgumentTypeError(f"{text} points; give a number above 0 and below 100, as in 0.5")
    return points / 100

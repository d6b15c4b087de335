"""`claims`: what the papers claim, and what the stored records say of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.cli.common import add_results


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="*", metavar="GLOB", help="only claims whose names match (default: all)")
    parser.add_argument("--file", type=Path, default=Path("suites/claims.toml"), help="(default: suites/claims.toml)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page as Markdown, too")
    add_results(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.claims.evidence import Evidence
    from bench.claims.file import chosen, read
    from bench.claims.render import markdown, terminal
    from bench.claims.verdict import findings
    from bench.files import write_text

    claims = chosen(read(parsed.file), parsed.name)
    evidence = Evidence(parsed.results)
    found = list(findings(claims, evidence))
    print(terminal(claims, found, evidence.unusable), end="")
    if parsed.markdown:
        write_text(parsed.markdown, markdown(claims, found, evidence.unusable))
    return 0

"""`leaderboard`: write every table from the stored records, or check that they are current."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.common import add_results

if TYPE_CHECKING:
    from bench.report.contents import Report


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a stored table is out of date")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="put the first table into this Markdown file, too")
    add_results(parser)


def run(parsed: argparse.Namespace) -> int:
    from bench.files import write_text
    from bench.report import table

    report = table.build(parsed.results)
    files = dict(_files(parsed.results, parsed.readme, report))
    outdated = [path for path, text in files.items() if table.content(path) != text.encode()]
    for path in outdated:
        if parsed.check:
            print(f"{path} is not what the records give; run: python -m bench leaderboard")
        else:
            write_text(path, files[path])
            print(f"wrote {path}")
    orphans = table.orphans(parsed.results, files)
    for path in orphans:
        if parsed.check:
            print(f"{path} has no records behind it any more; run: python -m bench leaderboard")
        else:
            path.unlink()
            print(f"removed {path}, which has no records behind it any more")
    for file in report.unusable:
        print(f"left out {file}")
    print(f"{len(files)} files from {sum(row.n for sheet in report.sheets for row in sheet.rows)} results")
    return 1 if parsed.check and (outdated or orphans) else 0


def _files(results: Path, readme: Path | None, report: Report) -> Iterator[tuple[Path, str]]:
    from bench.report import readme as block
    from bench.report import table

    yield from table.rendered(results, report)
    if readme:
        yield readme, block.updated(readme, report)

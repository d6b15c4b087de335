"""Names of rows that tell them apart within one plot."""

from __future__ import annotations

from collections import Counter

from bench.report.rows import Sheet


def order(sheet: Sheet) -> tuple[str, ...]:
    """All names of a sheet, each once, sorted."""
    return tuple(sorted(set(names(sheet))))


def names(sheet: Sheet) -> list[str]:
    """A name for each row, the same at all bit-widths; with platform and quantizer where the label is not enough."""
    together = Counter((row.entry.league.bits, row.label) for row in sheet.rows)
    unclear = {label for (_, label), count in together.items() if count > 1}
    return [
        f"{row.label} · {row.entry.platform} · {row.entry.league.quantizer}" if row.label in unclear else row.label
        for row in sheet.rows
    ]

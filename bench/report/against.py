"""Published figures beside measured ones, with the signed gap and what differs between the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from bench.report.contents import Report
from bench.report.document import Document, Grid, grid
from bench.report.figures import ABSENT, percent, points
from bench.report.frame import hundredfold
from bench.report.notes import keys
from bench.report.pairs import Pair, pairs
from bench.report.published import PROBABLY_BEST, Figure
from bench.report.text import clipped, narrow, plain

_PAIRED = (
    "Top-1 in percent. last gap, best gap: measured minus published, in points. Best is fairly compared with best and "
    "last with last: epoch says which was published. best?: probably the best on test images, which the authors' "
    "program reports. unknown: no source says, so neither gap is known to be fair.",
    "drop, drop here: top-1 minus that of the full-precision model which it started from, in points, published and "
    "measured after the last epoch. It takes out that the full-precision models differ. see: the source and what "
    "differs, listed below.",
    "Measured are, of the method with its options as published, the rows of the longest schedule that there is. "
    "Published figures never rank; lines stand by bits and name.",
)
_ALONE = ("No record here is of the same method, data and bits. Published figures never rank; lines stand by bits.",)
_RIGHT = ("published", "of full", "n", "last", "best", "last gap", "best gap", "drop", "drop here")


def document(report: Report, dataset: str) -> Document:
    """The published figures of a data set beside what was measured of the same."""
    found = [pair for figure in report.figures for pair in pairs(figure, report.sheets)]
    paired, alone = [pair for pair in found if pair.board], [pair for pair in found if not pair.board]
    grids = [
        *_grids(f"{dataset} · published against measured", f"published-{dataset}", _compared(paired), _paired(paired)),
        *_grids(
            f"{dataset} · published, not measured here",
            f"unmeasured-{dataset}",
            _alone(alone),
            [*_ALONE, *_listed(_sources(alone))],
        ),
    ]
    data = {name: [value(pair) for pair in found] for name, value in _COLUMNS.items()}
    return Document("published", dataset, tuple(grids), data)


def _grids(title: str, key: str, lines: list[dict[str, str]], notes: Sequence[str]) -> list[Grid]:
    """One grid with a section a bit-width, or none where there is nothing to show."""
    sections = [list(same) for _, same in groupby(lines, lambda line: line["bits"])]
    return [grid(title, key, sections, _RIGHT, (), notes)] if lines else []


def _compared(found: list[Pair]) -> list[dict[str, str]]:
    sources, differences = _sources(found), _differences(found)
    seen = [f"{sources[pair.figure.source]} {differences.get(pair.differs, '')}".strip() for pair in found]
    return [{**_about(pair.figure), **_here(pair), "see": see} for pair, see in zip(found, seen, strict=True)]


def _paired(found: list[Pair]) -> list[str]:
    return [*_PAIRED, *_listed(_sources(found)), *_listed(_differences(found))]


def _sources(found: list[Pair]) -> dict[str, str]:
    """Short keys of where figures were read."""
    return keys(list(dict.fromkeys(pair.figure.source for pair in found)), "s")


def _differences(found: list[Pair]) -> dict[str, str]:
    """Short keys of what differs."""
    return keys(list(dict.fromkeys(pair.differs for pair in found if pair.differs)), "d")


def _listed(named: dict[str, str]) -> list[str]:
    return [clipped(f"{key}: {told}.", 400) for told, key in named.items()]


def _here(pair: Pair) -> dict[str, str]:
    (last, best), (drop, drop_here) = pair.gaps, pair.drops
    board, row = pair.board, pair.row
    return {
        "here": f"{board.schedule} {row.label}" if board and row else ABSENT,
        "n": str(row.n) if row else ABSENT,
        "last": percent(pair.last),
        "best": percent(pair.best),
        "last gap": points(last),
        "best gap": points(best),
        "drop": points(drop),
        "drop here": points(drop_here),
    }


def _alone(found: list[Pair]) -> list[dict[str, str]]:
    sources = _sources(found)
    return [
        {
            **_about(pair.figure),
            "of full": percent(pair.figure.full_precision),
            "seeds": plain(pair.figure.seeds),
            "batch": plain(pair.figure.batch),
            "schedule": plain(pair.figure.schedule),
            "confidence": pair.figure.confidence,
            "see": sources[pair.figure.source],
        }
        for pair in found
    ]


def _about(figure: Figure) -> dict[str, str]:
    return {
        "bits": "full" if figure.bits.full else str(figure.bits),
        "method": narrow(figure.method),
        "published": percent(figure.top1),
        "epoch": "best?" if figure.epoch == PROBABLY_BEST else figure.epoch,
    }


_COLUMNS: dict[str, Callable[[Pair], Any]] = {
    "dataset": lambda pair: pair.figure.dataset,
    "model": lambda pair: pair.figure.model,
    "w_bits": lambda pair: pair.figure.bits.w,
    "a_bits": lambda pair: pair.figure.bits.a,
    "published_method": lambda pair: pair.figure.method,
    "published_percent": lambda pair: hundredfold(pair.figure.top1),
    "published_full_precision_percent": lambda pair: hundredfold(pair.figure.full_precision),
    "published_epoch": lambda pair: pair.figure.epoch,
    "published_seeds": lambda pair: pair.figure.seeds,
    "published_batch": lambda pair: pair.figure.batch,
    "published_schedule": lambda pair: pair.figure.schedule,
    "source": lambda pair: plain(pair.figure.source),
    "confidence": lambda pair: pair.figure.confidence,
    "method": lambda pair: pair.row.label if pair.row else "",
    "schedule": lambda pair: pair.board.schedule if pair.board else "",
    "precision": lambda pair: pair.board.precision if pair.board else "",
    "init": lambda pair: pair.board.init if pair.board else "",
    "platform": lambda pair: pair.row.entry.platform if pair.row else "",
    "n_seeds": lambda pair: pair.row.n if pair.row else 0,
    "last_percent": lambda pair: hundredfold(pair.last),
    "best_percent": lambda pair: hundredfold(pair.best),
    "full_precision_percent": lambda pair: hundredfold(pair.full),
    "last_gap_points": lambda pair: hundredfold(pair.gaps[0]),
    "best_gap_points": lambda pair: hundredfold(pair.gaps[1]),
    "fair_gap": lambda pair: pair.fair if pair.board else "",
    "published_drop_points": lambda pair: hundredfold(pair.drops[0]),
    "measured_drop_points": lambda pair: hundredfold(pair.drops[1]),
    "differs": lambda pair: pair.differs,
}

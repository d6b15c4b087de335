"""Published figures paired with what was measured of the same, and what differs between the two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.report.figures import percent
from bench.report.leagues import Board
from bench.report.published import PROBABLY_BEST, UNKNOWN, Figure
from bench.report.rows import Row, Sheet
from bench.report.text import plain
from bench.schedule import NAMES as SCHEDULES


@dataclass(frozen=True)
class Pair:
    """A figure and what was measured of the same; `last` and `best` are shares, `full` the full-precision model's.

    `row` is None for the full-precision model itself, which has neither epochs nor seeds.
    """

    figure: Figure
    board: Board | None = None
    row: Row | None = None
    last: float | None = None
    best: float | None = None
    full: float | None = None

    @property
    def gaps(self) -> tuple[float | None, float | None]:
        """Measured minus published, of the last epoch and of the best one."""
        return _minus(self.last, self.figure.top1), _minus(self.best, self.figure.top1)

    @property
    def fair(self) -> str:
        """Which gap compares like with like, `last` or `best`; `unknown` where nobody says which epoch was published.

        A full-precision model has one accuracy, which is both.
        """
        return "last" if self._still else {PROBABLY_BEST: "best"}.get(self.figure.epoch, self.figure.epoch)

    @property
    def drops(self) -> tuple[float | None, float | None]:
        """What quantization took: top-1 minus the full-precision model's, published and measured."""
        if self._still:
            return None, None
        return _minus(self.figure.top1, self.figure.full_precision), _minus(self.last, self.full)

    @property
    def differs(self) -> str:
        """What is known to differ, and what nobody says."""
        return "; ".join(_told(self.figure, self.row, self.board, self.full)) if self.board and self.row else ""

    @property
    def _still(self) -> bool:
        """Whether the figure is of a full-precision model."""
        return self.figure.bits.full


def pairs(figure: Figure, sheets: Iterable[Sheet]) -> list[Pair]:
    """A figure with each measured row that is of the same, or alone."""
    found = list(_full(figure, sheets) if figure.bits.full else _rows(figure, sheets))
    return found or [Pair(figure)]


def _rows(figure: Figure, sheets: Iterable[Sheet]) -> Iterator[Pair]:
    rows = [row for sheet in sheets if not sheet.board.stand_in for row in sheet.rows if figure.fits(row.entry)]
    longest = max(map(_length, rows), default=None)
    for row in rows:
        if _length(row) == longest:
            yield Pair(figure, row.entry.league.board, row, row.last, row.mean("best"), row.mean("init"))


def _length(row: Row) -> tuple[bool, float]:
    """How long a row trained: the published schedule first, then by epochs."""
    return row.entry.league.board.schedule == SCHEDULES[0], max(len(outcome.curve) for outcome in row.outcomes)


def _full(figure: Figure, sheets: Iterable[Sheet]) -> Iterator[Pair]:
    """The full-precision models of that network, each once."""
    known = {
        (sheet.board.init, top1): sheet.board
        for sheet in sheets
        if (sheet.board.dataset, sheet.board.model) == (figure.dataset, figure.model) and not sheet.board.stand_in
        for top1, _ in sheet.full
    }
    for (_, top1), board in sorted(known.items(), key=lambda item: item[0]):
        yield Pair(figure, board, None, top1, top1, top1)


def _told(figure: Figure, row: Row, board: Board, full: float | None) -> Iterator[str]:
    if board.schedule != SCHEDULES[0]:
        yield f"{board.schedule} against {_or_unknown('schedule', figure.schedule)}"
    if board.precision != "fp32":
        yield f"trained in {board.precision}"
    if figure.full_precision is None or full is None:
        yield "full precision unknown"
    elif percent(full) != percent(figure.full_precision):
        yield f"full precision {percent(full)} against {percent(figure.full_precision)}"
    if figure.epoch == UNKNOWN:
        yield "epoch unknown"
    yield f"n = {row.n} against {_or_unknown('seeds', figure.seeds)}"


def _or_unknown(name: str, value: str) -> str:
    return f"{name} unknown" if value == UNKNOWN else plain(value)


def _minus(measured: float | None, published: float | None) -> float | None:
    return None if measured is None or published is None else measured - published

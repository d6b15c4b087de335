"""A sweep for people: on a terminal a bar a running group and one for all cells, elsewhere lines now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from bench.records import Record
from bench.runner.job import Job
from bench.runner.progress import Far, read

LINE_INTERVAL = 30.0
"""Seconds between two lines of a group where there is no terminal."""

LOOK_INTERVAL = 0.5
"""Seconds between looks at how far groups are."""


class Display:
    """Shows what the running jobs say and how far they are.

    Args:
        cells: how many are to be run.
    """

    def __init__(self, cells: int) -> None:
        self.cells, self.finished = cells, 0
        self.live = sys.stderr.isatty()
        self.bars: dict[str, tqdm[None]] = {}
        self.all = self._bar("all cells", cells, "cell") if self.live and cells else None
        self.heard: dict[Path, int] = {}
        self.told: dict[str, float] = {}
        self.looked = 0.0

    def show(self, jobs: Sequence[Job]) -> None:
        """Bring everything up to date, at most every half second."""
        if time.monotonic() - self.looked < LOOK_INTERVAL:
            return
        self.looked = time.monotonic()
        for job in jobs:
            self._relay(job.log)
            if (far := read(job.state)) and far.total:
                self._bar_of(job, far) if self.live else self._line_of(job, far)

    def ended(self, job: Job) -> None:
        """A job is no longer running."""
        self._relay(job.log)
        self.heard.pop(job.log, None)
        self.told.pop(job.key, None)
        if bar := self.bars.pop(job.key, None):
            bar.close()

    def done(self, record: Record) -> None:
        """A cell has its record."""
        self.finished += 1
        if self.all is not None:
            self.all.update(1)
        top1 = record.result.get("top1", {}).get("last")
        figure = f"top-1 {top1:.2%}" if record.ok and top1 is not None else (record.reason or "").split("\n")[0]
        self.say(f"[{self.finished}/{self.cells}] {record.cell.dataset} {record.cell.label}: {record.status}, {figure}")

    def say(self, line: str) -> None:
        """A line that stays."""
        if self.live:
            tqdm.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        for bar in [*self.bars.values(), *([self.all] if self.all is not None else [])]:
            bar.close()

    def _relay(self, log: Path) -> None:
        """Pass on the whole lines that a log has gained."""
        if not log.is_file():
            return
        with log.open("rb") as file:
            file.seek(self.heard.get(log, 0))
            *lines, _ = file.read().split(b"\n")
        for line in lines:
            self.say(line.decode(errors="replace"))
        self.heard[log] = self.heard.get(log, 0) + sum(len(line) + 1 for line in lines)

    def _line_of(self, job: Job, far: Far) -> None:
        last = self.told.setdefault(job.key, time.monotonic())
        if far.rate and time.monotonic() - last >= LINE_INTERVAL:
            self.told[job.key] = time.monotonic()
            speed = f"{far.rate:.2f} steps/s, {_span(far.left)} left"
            self.say(f"{far.title}: step {far.done}/{far.total}, {speed}, {_text(far)}")

    def _bar_of(self, job: Job, far: Far) -> None:
        bar = self.bars.get(job.key) or self.bars.setdefault(job.key, self._bar(far.title, far.total, "step"))
        bar.n = far.done
        bar.set_postfix_str(_text(far))

    def _bar(self, title: str, total: int, unit: str) -> tqdm[None]:
        return tqdm(total=total, desc=title, unit=unit, dynamic_ncols=True, leave=unit == "cell", file=sys.stderr)


def _text(far: Far) -> str:
    return " ".join(f"{name.split('/')[-1]} {value:.4g}" for name, value in far.losses.items())


def _span(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"

"""Progress for people: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

from bench.schedule import Step

LINE_INTERVAL = 30.0


class Progress:
    """Steps done, step rate, losses and time left of one group."""

    def __init__(self, title: str, total: int, done: int) -> None:
        self.title, self.total = title, total
        self.began, self.begun_at = time.monotonic(), done
        self.shown = self.began
        live = sys.stderr.isatty()
        self.bar = tqdm(total=total, initial=done, desc=title, unit="step", dynamic_ncols=True) if live else None

    def wants_losses(self) -> bool:
        """Whether it is time to show losses again, which costs a synchronisation."""
        return time.monotonic() - self.shown >= (1.0 if self.bar is not None else LINE_INTERVAL)

    def step(self, step: Step, losses: dict[str, float] | None) -> None:
        """Count a step; `losses` where they were wanted."""
        if self.bar is not None:
            self.bar.update(1)
            if losses is not None:
                self.bar.set_postfix_str(_text(losses))
        elif losses is not None:
            done = step.index + 1
            rate = (done - self.begun_at) / (time.monotonic() - self.began)
            left = (self.total - done) / rate
            self.say(f"step {done}/{self.total}, {rate:.2f} steps/s, {_span(left)} left, {_text(losses)}")
        if losses is not None:
            self.shown = time.monotonic()

    def say(self, text: str) -> None:
        """A line that stays."""
        line = f"{self.title}: {text}"
        if self.bar is not None:
            self.bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _text(losses: dict[str, float]) -> str:
    return " ".join(f"{name.split('/')[-1]} {value:.4g}" for name, value in losses.items())


def _span(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"

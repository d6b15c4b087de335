"""What time was spent on."""

from __future__ import annotations

from time import perf_counter, process_time
from typing import Any


class Clock:
    """Seconds by what they were spent on, and processor seconds of all threads of this process meanwhile."""

    def __init__(self, *names: str) -> None:
        self.seconds = dict.fromkeys(names, 0.0)
        self.cpu_seconds = dict.fromkeys(names, 0.0)
        self._spans = {name: _Span(self, name) for name in names}

    def on(self, name: str) -> _Span:
        """A context that counts its block; one at a time of each name."""
        return self._spans[name]

    def state(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds}

    def load(self, state: dict[str, Any], part: float = 1.0) -> None:
        """Go on from what `state()` gave, or from a part of it."""
        self.seconds, self.cpu_seconds = (
            {name: value * part for name, value in state[key].items()} for key in ("seconds", "cpu_seconds")
        )


class _Span:
    """Counts a block. Every step enters several, and a context of this form costs half a microsecond."""

    def __init__(self, clock: Clock, name: str) -> None:
        self.clock, self.name = clock, name
        self.start = self.busy = 0.0

    def __enter__(self) -> None:
        self.start, self.busy = perf_counter(), process_time()

    def __exit__(self, *_: object) -> None:
        self.clock.seconds[self.name] += perf_counter() - self.start
        self.clock.cpu_seconds[self.name] += process_time() - self.busy

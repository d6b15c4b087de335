"""Being asked to stop: Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def heeding(ask: Callable[[], None]) -> Iterator[None]:
    """Within it, Ctrl-C and SIGTERM call `ask`, between two steps of the interpreter; what they did before, after."""
    before = {number: signal.signal(number, lambda *_: ask()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Numbers as tables show them: percent and points with two decimals, independent of locale."""

from __future__ import annotations

ABSENT = "-"


def percent(share: float | None) -> str:
    """A share in [0, 1] as percent, e.g. `88.03`."""
    return ABSENT if share is None else f"{100 * share:.2f}"


def points(difference: float | None) -> str:
    """A signed difference of shares in percentage points, e.g. `-3.60`; zero is `+0.00`."""
    return ABSENT if difference is None else f"{round(100 * difference, 2) + 0.0:+.2f}"


def seconds(value: float | None) -> str:
    """Seconds, with one decimal below 100 and thousands separated above, e.g. `1,563`."""
    if value is None:
        return ABSENT
    return f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"


def milliseconds(value: float | None) -> str:
    """Seconds as milliseconds with three decimals, e.g. `1.234`."""
    return ABSENT if value is None else f"{1000 * value:,.3f}"


def megabytes(value: float | None) -> str:
    """Bytes as 10^6 bytes, e.g. `1,632`; a decimal below 100."""
    return seconds(None if value is None else value / 1e6)


def count(value: float | None, unit: float = 1) -> str:
    """A number in multiples of a unit, thousands separated; a decimal below 100 where there is a unit."""
    if value is None:
        return ABSENT
    return f"{value:,.0f}" if unit == 1 else seconds(value / unit)


def spread(deviation: float | None, interval: tuple[float, float] | None) -> str:
    """`± 0.25` where there is a deviation, else `[87.34, 88.62]` where there is an interval."""
    if deviation is not None:
        return f"± {percent(deviation)}"
    return f"[{percent(interval[0])}, {percent(interval[1])}]" if interval else ABSENT

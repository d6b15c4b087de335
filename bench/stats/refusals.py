"""From how many seeds on each procedure keeps its promise, as simulation found it."""

from __future__ import annotations

from bench.errors import BenchError

NOMINAL = 0.05
ALLOWANCE = 0.01
"""How far above the nominal rate false alarms may lie."""

FALSE_ALARMS = {
    "welch": {3: 0.075, 5: 0.057, 10: 0.052},
    "paired": {3: 0.051, 5: 0.050, 10: 0.051},
    "crossed": {3: 0.073, 5: 0.057, 10: 0.053},
}
"""Share of null comparisons called different at the 95 % level, by the seeds of the smaller side: the worst of the
worlds and numbers of seeds that tests/test_stats_nulls.py simulates, which reproduces this table."""


class TooFewSeeds(BenchError):
    """A comparison of fewer seeds than its procedure is trusted with."""


def smallest(procedure: str) -> int:
    """Fewest seeds of a side from which on no simulated rate of false alarms exceeds the allowed one."""
    rates = FALSE_ALARMS[procedure]
    return min(n for n in rates if all(rates[more] <= NOMINAL + ALLOWANCE for more in rates if more >= n))


def refuse(procedure: str, seeds: int) -> None:
    """Let a comparison pass whose smaller side has `seeds` seeds, if they are enough.

    Raises:
        TooFewSeeds: if they are not.
    """
    if seeds < smallest(procedure):
        raise TooFewSeeds(f"{procedure}: {seeds} seeds are too few; give at least {smallest(procedure)} of each side")

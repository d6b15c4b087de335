"""Statistics of accuracies: pure functions of plain numbers, the same on every machine.

Shares and margins are in [0, 1]; differences are second minus first, in the unit of what was given. What each figure
says and what it does not is in docs/statistics.md.
"""

MINIMUM_SEEDS = 5
"""Seeds that each side of a comparison needs before anything is called better, worse or good enough."""

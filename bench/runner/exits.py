"""How the process of a job says how it ended. Anything else is a death: the job left no word."""

OK = 0
"""Every cell has a record."""

UNUSABLE = 2
"""Results cannot be written."""

BUSY = 75
"""Another sweep runs some of the cells, or has just run them."""

INTERRUPTED = 130
"""Stopped because it was asked to; a checkpoint is written."""

"""What can be wrong with a comparison, a reference or the repository that one is read from."""

from __future__ import annotations

from bench.errors import BenchError


class NothingToCompare(BenchError):
    """A side of a comparison without runs, or sides that have no league in common."""


class NotComparable(BenchError):
    """Runs and a reference of different leagues."""


class ReferenceInvalid(BenchError):
    """A reference that is missing, corrupt, edited by hand, or may not be made or replaced so."""


class LooksInvalid(BenchError):
    """The trace of earlier looks that is corrupt or was edited by hand."""


class CommitUnusable(BenchError):
    """A commit that git does not know, that holds nothing of use here, or whose code does not run."""

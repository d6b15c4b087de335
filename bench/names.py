"""Names that people type: look-ups that answer a typo with "did you mean"."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from bench.errors import UnknownName


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Message for an unknown `name` of a `kind`, with the nearest known names."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
    return f"unknown {kind} '{name}'; {hint}"


def check(kind: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is known.

    Raises:
        UnknownName: with the nearest known names.
    """
    known = list(known)
    if name not in known:
        raise UnknownName(unknown(kind, name, known))
    return name

"""How lines are told apart: by colour, marker and dash at once, so that one of the three is enough."""

from __future__ import annotations

from dataclasses import dataclass

INK = "#000000"
"""Of text and axes; a page in the dark puts its own in place of it."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK)
"""Okabe and Ito (2008), for all kinds of colour vision; without yellow, which white paper hides."""

MARKERS = ("circle", "square", "triangle", "diamond", "cross", "down", "plus", "star")
DASHES = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2), (10, 3))
"""Lengths of strokes and gaps, in line widths; none for a solid line."""


@dataclass(frozen=True)
class Style:
    """The look of one line."""

    colour: str
    marker: str
    dash: tuple[float, ...]


def style(place: int) -> Style:
    """The look of the label at a place in a figure's labels; the first 280 all differ."""
    return Style(COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)], DASHES[place % len(DASHES)])

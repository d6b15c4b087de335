"""Cells from the points of a suite."""

from __future__ import annotations

from dataclasses import asdict

from bench.method import Card, Method, options_of
from bench.models.teachers import Teacher
from bench.spec import Cell
from bench.suite import Point


def cell_of(point: Point, method: Method, init: Teacher | None, tutor: Teacher | None) -> Cell:
    """The cell of a point: options completed with their defaults, models named by sha256."""
    options = options_of(method.card, point.options)
    return Cell(
        dataset=point.dataset,
        model=point.model,
        method=point.method,
        bits=point.bits,
        schedule=point.schedule,
        seed=point.seed,
        precision=point.precision,
        options=asdict(options) if options is not None else {},
        init=init.card.sha256 if init else "",
        tutor=tutor.card.sha256 if tutor else "",
    )


def unfit(cell: Cell, card: Card, init: Teacher | None, tutor: Teacher | None) -> str | None:
    """Why a cell makes no sense whatever its method says, or None."""
    if card.quantizes and cell.bits.full and not card.full:
        return f"{card.name} quantizes, and {cell.bits} leaves nothing to quantize; give W2A2 to W8A8"
    if init and tutor and (init.card.mean, init.card.std) != (tutor.card.mean, tutor.card.std):
        return f"tutor {tutor.card.model} and init {init.card.model} normalise images differently; train both alike"
    return None

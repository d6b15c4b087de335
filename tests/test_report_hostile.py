"""Records with one value replaced by something else: shown or reported, and never the end of the whole table."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from recordfactory import make_record

from bench import records
from bench.records import Record
from bench.report import table

INSTEAD: tuple[Any, ...] = (None, -1, [1], {"a": 1})
Place = tuple[str | int, ...]


def paths(value: Any, above: Place = ()) -> Iterator[Place]:
    """Every place in plain data."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield (*above, key)
        yield from paths(below, (*above, key))


def replaced(plain: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    """A copy with another value in one place, sealed again."""
    whole = copy.deepcopy(plain)
    inner = whole
    for key in place[:-1]:
        inner = inner[key]  # type: ignore[index]
    inner[place[-1]] = value  # type: ignore[index]
    if isinstance(whole["result"], dict) and whole["result"] and place[-1] != "digest":
        whole["result"] = records.seal(whole["result"])
    return whole


@pytest.mark.parametrize(
    "made",
    [
        make_record(epochs=1, run={"cpu_seconds": {"draw": 1.0}, "peak_bytes": {"train": {"resident": 1}}}),
        make_record(status="failed"),
        make_record(epochs=1, provenance="author-code"),
    ],
    ids=["ok", "failed", "author-code"],
)
def test_no_single_value_can_break_the_table(tmp_path: Path, made: Record) -> None:
    plain = json.loads(json.dumps(asdict(made)))
    path = records.write(tmp_path, made)
    for place in paths(plain):
        for value in INSTEAD:
            path.write_text(json.dumps(replaced(plain, place, value)))
            try:
                report = table.build(tmp_path)
                for kind in ("accuracy", "cost", "budget"):
                    table.terminal(report, kind=kind)
            except Exception as error:
                raise AssertionError(f"{'.'.join(map(str, place))} = {value!r}") from error
            assert report.sheets or report.unusable or report.whynot or report.unranked, (place, value)

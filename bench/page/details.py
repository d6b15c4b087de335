"""What the page knows of each record, so that opening one needs no other file."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.files import digest
from bench.measure.measurement import Measurement
from bench.page.compact import compact
from bench.plots.figure import Figure
from bench.plots.single import single
from bench.plots.sources import Source
from bench.records import Record
from bench.report.leagues import label_of

_LEFT_OUT = ("correct", "correct_untrained", "epochs", "ranges", "signal_to_noise")
_BULKY = ("samples", "layers")
_ALIKE = ("method", "data", "spec.options", "result.census", "result.unquantized", "run.environment")


class Details:
    """Records to embed, by key; what many of them have in common is kept once."""

    def __init__(self, results: Path, measured: Mapping[str, Sequence[Measurement]]) -> None:
        self.results, self.measured = results, measured
        self.shared: dict[str, Any] = {}
        self.sources: dict[str, Source] = {}

    def add(self, source: Source) -> str:
        """Take a record in; returns its key."""
        key = quote(source.path.removeprefix("records/").removesuffix(".json"), safe="/@")
        self.sources[key] = source
        return key

    def all(self) -> dict[str, dict[str, Any]]:
        """Everything about each record, as plain JSON values by key."""
        ids = Counter(source.record.id for source in self.sources.values())
        return {key: self._detail(source, ids[source.record.id] > 1) for key, source in sorted(self.sources.items())}

    def _detail(self, source: Source, ambiguous: bool) -> dict[str, Any]:
        record = source.record
        plain = _slim(record)
        measured = self.measured.get(str(record.result.get("weights")), ())
        return {
            "title": _title(record),
            "path": source.path,
            "reproduce": _command(source, ambiguous),
            "images": self._images(source),
            "figures": [self._figure(figure) for figure in single(record)],
            "measurements": [_measurement(found) for found in measured],
            "shared": {path: self._keep(value) for path, value in _taken(plain)},
            "record": plain,
        }

    def _figure(self, figure: Figure) -> dict[str, Any]:
        """A figure whose note, epochs and names of layers, alike in many records, are keys of what is shared."""
        made = compact(figure)
        made["note"] = self._keep(made["note"])
        for panel in made["panels"]:
            if "names" in panel["x"]:
                panel["x"]["names"] = self._keep(panel["x"]["names"])
            for line in panel["lines"]:
                line["x"] = self._keep(line["x"])
        return made

    def _keep(self, value: Any) -> str:
        key = digest(value)[:12]
        self.shared[key] = value
        return key

    def _images(self, source: Source) -> str | None:
        path = Path("images", *Path(source.path).with_suffix(".png").parts[1:])
        return path.as_posix() if (self.results / path).is_file() else None


def _slim(record: Record) -> dict[str, Any]:
    """The record without what the plots show or only a program can read."""
    result = {name: value for name, value in record.result.items() if name not in _LEFT_OUT}
    return {
        "id": record.id, "platform": record.platform, "provenance": record.provenance, "status": record.status,
        "reason": record.reason, "suite": record.suite, "spec": dict(record.spec), "method": record.method,
        "data": record.data, "result": result, "run": dict(record.run),
    }  # fmt: skip


def _taken(plain: dict[str, Any]) -> list[tuple[str, Any]]:
    """What many records have alike, taken out of one, with where it was."""
    found = []
    for path in _ALIKE:
        part, *rest = path.split(".")
        holder, name = (plain[part], rest[0]) if rest else (plain, part)
        if name in holder:
            found.append((path, holder.pop(name)))
    return found


def _title(record: Record) -> str:
    cell = record.cell
    label = label_of(cell, record.method.get("defaults", {}), reading=bool(record.method.get("reading")))
    bits = "full precision" if cell.bits.full else str(cell.bits)
    return f"{label} · {bits} · {cell.dataset} · {cell.model} · {cell.schedule} · {cell.precision} · seed {cell.seed}"


def _command(source: Source, ambiguous: bool) -> str | None:
    """What runs a record's cell again; None for what this project did not run."""
    if source.record.provenance != "measured":
        return None
    what = f"results/{source.path}" if ambiguous else source.record.id[:16]
    return f"python -m bench reproduce {shlex.quote(what)}"


def _measurement(found: Measurement) -> dict[str, Any]:
    values = {name: value for name, value in found.values.items() if name not in _BULKY}
    where = {"platform": found.platform, "processor": found.processor}
    how = {"kind": found.kind, "kernel": found.kernel, "batch": found.batch, "disturbed": found.disturbed}
    return {**how, **where, "values": values}

"""What has changed since a cell ran: its code, or what its id is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from bench.method import defaults_of
from bench.records import Record
from bench.registry import get
from bench.runner.code import code_of
from bench.spec import Bits, Cell, identity
from bench.sweep.plan import Planned

Kind = tuple[str, str, str, Bits, str, str, int]


def changed_code(record: Record) -> list[str] | None:
    """Modules whose source is not what the record's cell ran, or None where the record does not name them."""
    then = record.method.get("code")
    if not isinstance(then, dict):
        return None
    now = code_of(type(get(record.spec["method"])).__module__)
    return [_told(name, then, now) for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]


def _told(name: str, then: dict[str, str], now: dict[str, str]) -> str:
    if name in then and name in now:
        return name
    return f"{name} ({'removed' if name in then else 'added'})"


class History:
    """The records of a platform, to be asked what became of a planned cell."""

    def __init__(self, found: Iterable[Record], platform: str) -> None:
        self._by_id: dict[str, Record] = {}
        self._by_kind: defaultdict[Kind, list[Record]] = defaultdict(list)
        for record in found:
            if record.platform == platform and record.provenance == "measured":
                self._by_id[record.id] = record
                self._by_kind[_kind(record.cell)].append(record)

    def of(self, planned: Planned) -> Record | None:
        """The record of a cell itself."""
        return self._by_id.get(planned.id)

    def replaced(self, planned: Planned) -> str | None:
        """The latest finished record of what the suite asked for in the same words, and why its id is another."""
        given = planned.cell.changed(_defaults(planned.cell.method))
        alike = [
            record
            for record in self._by_kind[_kind(planned.cell)]
            if record.final and record.id != planned.id and record.cell.changed(_defaults_then(record)) == given
        ]
        if not alike:
            return None
        last = max(alike, key=lambda record: str(record.run.get("ended", "")))
        return f"replaces {last.id[:16]}: {', '.join(_changes(last, planned))}"


def _changes(old: Record, new: Planned) -> Iterator[str]:
    """What of the inputs of an id is no longer as it was."""
    before, now = old.cell, new.cell
    if before.init != now.init:
        yield "full-precision model changed"
    if before.tutor != now.tutor and not (before.tutor == before.init and now.tutor == now.init):
        yield "tutor changed"
    if old.method["version"] != new.version:
        yield f"method {old.method['version']} -> {new.version}"
    if old.data["fingerprint"] != new.fingerprint:
        yield "data set changed"
    for name in sorted(before.options.keys() | now.options.keys()):
        if before.options.get(name) != now.options.get(name):
            yield f"default of {name} {_value(before, name)} -> {_value(now, name)}"
    if identity(before, old.method["version"], old.data["fingerprint"]) != old.id:
        yield "rules of the harness changed"


def _value(cell: Cell, name: str) -> str:
    return str(cell.options.get(name, "(none)"))


def _kind(cell: Cell) -> Kind:
    """What a suite says of a cell, but for the method's options."""
    return cell.dataset, cell.model, cell.method, cell.bits, cell.schedule, cell.precision, cell.seed


def _defaults(method: str) -> dict[str, object]:
    return defaults_of(get(method).card)


def _defaults_then(record: Record) -> dict[str, object]:
    """The defaults when a record was made, or today's where it does not tell."""
    found: dict[str, object] = record.method.get("defaults") or _defaults(record.spec["method"])
    return found

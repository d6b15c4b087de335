"""The files that a run is made from: a record, measurements of its model, and pictures of what it was trained on."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from bench.errors import RecordInvalid
from bench.measure.measurement import Measurement, scan_files

FORM = b"2"
"""Of what a run shows of its files; runs of another form are replaced."""

WEIGHTS = re.compile(rb'"weights":\s*"([0-9a-f]{16})[0-9a-f]{48}"')
"""In a record, what names of measurements begin with."""


@dataclass(frozen=True)
class Sources:
    """Where what a run shows comes from.

    Attributes:
        results: the folder. record: the record's file. measurements: files that may be of its model.
        fingerprint: sha256 of all these.
    """

    results: Path
    record: Path
    measurements: tuple[Path, ...]
    fingerprint: str

    def measured(self) -> list[Measurement | RecordInvalid]:
        """The measurements; what cannot be read comes as the error that says why."""
        return list(scan_files(self.measurements))

    @property
    def files(self) -> dict[str, Path]:
        """What becomes an artifact as it is, by its name there."""
        name = self.record.relative_to(self.results / "records").with_suffix("")
        last = self.results / "images" / name.with_name(f"{name.name}.png")
        found = {"record.json": self.record}
        found |= {f"measurements/{path.name}": path for path in self.measurements}
        found |= {f"images/{path.name}": path for path in sorted((self.results / ".work/images" / name).glob("*.png"))}
        return found | ({"images/last.png": last} if last.is_file() else {})


class Shelf:
    """The files of a results folder, as they lie there when this is made."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.measurements: dict[bytes, list[Path]] = defaultdict(list)
        for path in sorted((results / "measurements").glob("[0-9a-f]*.json")):
            self.measurements[path.name[:16].encode()].append(path)

    def sources(self, record: Path) -> Sources:
        """What belongs to the record in a file; nothing but that where it cannot be read, which shows when it is."""
        content = _content(record)
        models = sorted(set(WEIGHTS.findall(content))) if self.measurements else []
        found = tuple(path for model in models for path in self.measurements.get(model, ()))
        total = hashlib.sha256(FORM + content)
        for path in found:
            total.update(hashlib.sha256(_content(path)).digest())
        return Sources(self.results, record, found, total.hexdigest())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""

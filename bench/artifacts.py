"""Artifacts: sets of tensors that are made once from plain values, part by part, and kept by what they were made from.

HAST's images are one. A folder `<id>` holds `about.json` (the values that the id stands for) and a safetensors file a
part. Parts are written whole or not at all and made in any order, so that whoever is stopped continues where it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from bench.errors import Busy, ModelCorrupt
from bench.files import digest, pretty_json, write_text
from bench.locks import hold
from bench.models.weights import fingerprint, read, write

Part = dict[str, Tensor]
Making = Callable[[int], Mapping[str, Tensor]]


class Artifacts:
    """The artifacts of one platform, each in a folder of its own.

    Args:
        folder: where those folders are. platform: what computed numbers depend on besides plain values.
        say: takes lines of progress for a person.

    Attributes:
        used: sha256 of the content of what was asked for, by name; for the record.
    """

    def __init__(self, folder: Path, platform: str, say: Callable[[str], None] = lambda line: None) -> None:
        self.folder, self.platform, self.say = folder, platform, say
        self.used: dict[str, str] = {}

    def parts(self, name: str, values: Mapping[str, Any], count: int, make: Making) -> list[Part]:
        """All parts of an artifact, on the CPU; those that are not there yet are made and kept.

        Of several processes that ask for the same one, the first makes it and the others wait. What `make(index)`
        gives must depend on `values`, the platform and `index` alone.

        Args:
            values: plain values that tell artifacts of this name apart. count: number of parts; it does so too.
            make: makes the tensors of a part from its index, 0 .. count - 1.

        Raises:
            ResultsUnwritable: if a part cannot be kept.
        """
        about = {**values, "name": name, "parts": count, "platform": self.platform}
        folder = self.folder / digest(about)[:16]
        found = [_kept(folder, index) for index in range(count)]
        if None in found:
            with self._alone(folder):
                write_text(folder / "about.json", pretty_json(about))
                found = [self._one(folder, name, index, count, make) for index in range(count)]
        complete = [part for part in found if part is not None]
        self.used[name] = digest([fingerprint(part) for part in complete])
        return complete

    @contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        """Hold an artifact's lock, waiting for its owner for as long as that takes."""
        lock = folder / "lock"
        with ExitStack() as stack:
            try:
                stack.enter_context(hold(lock))
            except Busy as busy:
                self.say(f"waits, as {busy}")
                stack.enter_context(hold(lock, wait=math.inf))
            yield

    def _one(self, folder: Path, name: str, index: int, count: int, make: Making) -> Part:
        if (kept := _kept(folder, index)) is not None:
            return kept
        self.say(f"makes {name}, part {index + 1} of {count}")
        made = {key: tensor.detach().cpu().contiguous() for key, tensor in make(index).items()}
        write(_file(folder, index, fingerprint(made)), made)
        return made


def _kept(folder: Path, index: int) -> Part | None:
    """A part as it was written, or None where there is none or its file was altered since."""
    for path in folder.glob(f"{index:04}-*.safetensors"):
        try:
            found = read(path)
        except ModelCorrupt:
            continue
        if path == _file(folder, index, fingerprint(found)):
            return found
    return None


def _file(folder: Path, index: int, content: str) -> Path:
    """A part's file, named after its content, so that damage shows."""
    return folder / f"{index:04}-{content[:16]}.safetensors"

"""Files are written whole or not at all, and plain values have one canonical text."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from bench.errors import ResultsUnwritable
from bench.files import canonical_json, digest, pretty_json, write_bytes, write_whole


@contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    """Within it, the kernel refuses to let any file of this process grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "record.json"
    with disk_with_room_for(1000), pytest.raises(ResultsUnwritable, match=f"cannot write {target}"):
        write_bytes(target, b"x" * 5000)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "record.json"
    write_bytes(target, b"old")
    with disk_with_room_for(1000), pytest.raises(ResultsUnwritable):
        write_bytes(target, b"x" * 5000)
    assert target.read_bytes() == b"old"


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise KeyError("boom")

    with pytest.raises(KeyError):
        write_whole(tmp_path / "x", fail)
    assert list(tmp_path.iterdir()) == []


def test_canonical_json_does_not_depend_on_key_order() -> None:
    text = canonical_json({"b": 1, "a": [1.5, None]})
    assert text == canonical_json({"a": [1.5, None], "b": 1}) == '{"a":[1.5,null],"b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_what_json_has_not(value: float) -> None:
    for write in (canonical_json, pretty_json):
        with pytest.raises(ValueError, match="JSON"):
            write({"a": value})

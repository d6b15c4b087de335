"""The SQLite file that MLflow keeps its runs in, where no server does."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.locks import hold


def place(uri: str) -> Path | None:
    """The file of a tracking URI; None for a server, another kind of database, or one in memory."""
    path = Path(uri.removeprefix("sqlite:///").split("?")[0])
    return path if uri.startswith("sqlite:///") and path.name else None


def prepare(path: Path) -> None:
    """Check that a file is a database, and build a new one beside its place, so that it appears with all its tables.

    MLflow's own migration fails where several processes begin it, and leaves a database that it can never open again
    when it is killed in the middle.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with hold(path.with_name(f".{path.name}.lock"), wait=60):
            _build(path)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA schema_version")


@contextlib.contextmanager
def unhurried_disk(path: Path) -> Iterator[None]:
    """Let SQLite not wait for the disk after each transaction, but once at the end of the block.

    A killed process harms nothing. A machine that crashes may leave a broken file: only for one that can be made again.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "connect", _hurry)
    try:
        yield
    finally:
        event.remove(Engine, "connect", _hurry)
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _hurry(connection: Any, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


def _build(path: Path) -> None:
    """Migrate a new database under another name, then rename it into place; nothing if someone else just did."""
    from mlflow import MlflowClient

    if path.exists():
        return
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.with_name(f"{part.name}-journal").unlink(missing_ok=True)
    with unhurried_disk(part):
        MlflowClient(f"sqlite:///{part}").search_experiments(max_results=1)
    os.replace(part, path)

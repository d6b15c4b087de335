"""Reaching MLflow: where it is, how long to wait for it, and what to say when it is not there."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import TrackingUnavailable
from bench.track import database

if TYPE_CHECKING:
    from mlflow import MlflowClient

IMPATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "3", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""For the first request, which tells whether there is a server at all: about 8 seconds. A user's settings go first."""

PATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "14", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""For each further request: about 30 seconds, as a server that answered once may be busy."""

BROKEN = ("file is not a database", "database disk image is malformed")
"""What SQLite says of a file that no waiting mends."""


def address(results: Path, uri: str | None) -> str:
    """The tracking URI: the given one, else `$MLFLOW_TRACKING_URI`, else a database in the results folder."""
    return uri or os.environ.get("MLFLOW_TRACKING_URI") or _own(results)


def _own(results: Path) -> str:
    """The database of a results folder, which can be made again from the records."""
    return f"sqlite:///{results}/mlflow.db"


def artifact_root(results: Path, uri: str) -> Path | None:
    """Where artifacts go that no server looks after: a folder in results; None where a server decides."""
    serverless = re.match(r"(sqlite|postgresql|mysql|mssql)\b", uri)
    return results / "mlflow-artifacts" if serverless else None


@contextlib.contextmanager
def connected(uri: str, results: Path) -> Iterator[MlflowClient]:
    """A client of the server or database at `uri`, which answered and has its tables.

    Raises:
        TrackingUnavailable: in one line, whenever it cannot be reached or fails, also later within the block.
    """
    failures = _load()
    try:
        if file := database.place(uri):
            database.prepare(file)
        with database.unhurried_disk(file) if file and uri == _own(results) else contextlib.nullcontext():
            yield from _answering(uri)
    except failures as error:
        cause = _cause(error)
        advice = "delete that file and sync again" if cause in BROKEN else "sync again later"
        message = f"MLflow at {uri} is not available ({cause}); the records stay in {results}: {advice}"
        raise TrackingUnavailable(_shown(message)) from error


def _answering(uri: str) -> Iterator[MlflowClient]:
    """A client, once there was an answer."""
    from mlflow import MlflowClient

    with _environment(IMPATIENT):
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    with _environment(PATIENT):
        yield client


def _load() -> tuple[type[Exception], ...]:
    """Import MLflow without telemetry, links on stdout, or logs of what is reported as an error here.

    Returns:
        The errors with which it may fail.

    Raises:
        TrackingUnavailable: if it is not installed.
    """
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    try:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise TrackingUnavailable(f"MLflow cannot be imported ({error}); install mlflow and sync again") from error
    for name, level in (("mlflow", logging.CRITICAL), ("alembic", logging.ERROR), ("urllib3", logging.ERROR)):
        logging.getLogger(name).setLevel(level)
    return MlflowException, SQLAlchemyError, sqlite3.Error, OSError, ImportError


@contextlib.contextmanager
def _environment(defaults: dict[str, str]) -> Iterator[None]:
    """Set variables that the user has not set, for the time of the block."""
    added = {key: value for key, value in defaults.items() if key not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for key in added:
            os.environ.pop(key, None)


def _cause(error: BaseException) -> str:
    """One line: of the system's innermost error, such as "Connection refused", else of the error itself."""
    reason = str(error)
    inner: BaseException | None = error
    while inner is not None:
        inner = inner.__cause__ or inner.__context__ or _wrapped(inner)
        if isinstance(inner, OSError | sqlite3.Error):
            reason = getattr(inner, "strerror", None) or str(inner)
    return (reason.strip().splitlines() or [type(error).__name__])[0][:300]


def _wrapped(error: BaseException) -> BaseException | None:
    """The error that another one carries as an argument, as urllib3's do."""
    return next((each for each in error.args if isinstance(each, BaseException)), None)


def _shown(text: str) -> str:
    """The text without user names and passwords in URIs."""
    return re.sub(r"//[^/\s]*@", "//***@", text)

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
from bench.locks import hold

if TYPE_CHECKING:
    from mlflow import MlflowClient

IMPATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "3", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""For the first request, which tells whether there is a server at all; a user's own settings go first."""

PATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "30", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""For all further requests: a server that answered once may be busy."""


def address(results: Path, uri: str | None) -> str:
    """The tracking URI: the given one, else `$MLFLOW_TRACKING_URI`, else a database in the results folder."""
    return uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{results}/mlflow.db"


def artifact_root(results: Path, uri: str) -> Path | None:
    """Where artifacts go that no server looks after: a folder in results; None where a server decides."""
    database = re.match(r"(sqlite|postgresql|mysql|mssql)\b", uri)
    return results / "mlflow-artifacts" if database else None


@contextlib.contextmanager
def connected(uri: str, results: Path) -> Iterator[MlflowClient]:
    """A client of the server or database at `uri`, which answered and has its tables.

    Raises:
        TrackingUnavailable: in one line, whenever it cannot be reached or fails, also later within the block.
    """
    failures = _load()
    from mlflow import MlflowClient

    try:
        _prepare_database(uri)
        with _environment(IMPATIENT):
            client = MlflowClient(uri)
            client.search_experiments(max_results=1)
        with _environment(PATIENT):
            yield client
    except failures as error:
        message = f"MLflow at {uri} is not available ({_cause(error)}); the records stay in {results}: sync again later"
        raise TrackingUnavailable(_shown(message)) from error


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


def _prepare_database(uri: str) -> None:
    """Check that an SQLite file is one, and build a new one beside its place, so that it appears with all its tables.

    MLflow's own migration leaves a database that it can never open again when it is killed in the middle.
    """
    path = Path(uri.removeprefix("sqlite:///").split("?")[0])
    if not uri.startswith("sqlite:///") or not path.name:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with hold(path.with_name(f".{path.name}.lock"), wait=60):
            _build_database(path)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA schema_version")


def _build_database(path: Path) -> None:
    """Migrate a new database under another name, then rename it into place; nothing if someone else just did."""
    from mlflow import MlflowClient

    if path.exists():
        return
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.with_name(f"{part.name}-journal").unlink(missing_ok=True)
    MlflowClient(f"sqlite:///{part}").search_experiments(max_results=1)
    os.replace(part, path)


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
    reason, inner = str(error), error
    while inner := inner.__cause__ or inner.__context__ or _wrapped(inner):
        if isinstance(inner, OSError | sqlite3.Error):
            reason = getattr(inner, "strerror", None) or str(inner)
    return (reason.strip().splitlines() or [type(error).__name__])[0][:300]


def _wrapped(error: BaseException) -> BaseException | None:
    """The error that another one carries as an argument, as urllib3's do."""
    return next((each for each in error.args if isinstance(each, BaseException)), None)


def _shown(text: str) -> str:
    """The text without user names and passwords in URIs."""
    return re.sub(r"//[^/\s]*@", "//***@", text)

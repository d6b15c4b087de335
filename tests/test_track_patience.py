"""An MLflow that is dead, silent or slow holds nothing up: no cell ever, and what waits for it not for long."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recordfactory import make_record
from workplace import give_teacher, make

from bench import records
from bench.errors import TrackingUnavailable
from bench.track import connection, sync

ROOT = Path(__file__).resolve().parents[1]

WATCH = """
import os, sys
class Watch:
    def find_spec(name, *others):
        if name == "mlflow":
            command = open("/proc/self/cmdline").read().replace(chr(0), " ")
            with open(os.environ["IMPORTS"], "a") as file:
                print(command, file=file)
sys.meta_path.insert(0, Watch)
"""
"""A `sitecustomize` that notes every process that imports mlflow."""


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    records.write(tmp_path, make_record())
    return tmp_path


def closed() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def bench_sync(results: Path, uri: str) -> subprocess.CompletedProcess[str]:
    """The verb, on its own patience; a minute is for starting it on a busy machine."""
    command = [sys.executable, "-m", "bench", "sync", "--results", str(results)]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": uri}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90)


def test_a_server_that_is_not_there_is_one_clear_line_soon(
    results: Path, silent: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(connection.IMPATIENT, "MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    dead = f"http://me:secret@127.0.0.1:{closed()}"
    for uri, reason in ((dead, "Connection refused"), (silent, "timed out")):
        begin = time.monotonic()
        with pytest.raises(TrackingUnavailable, match=reason) as caught:
            sync(results, uri)
        assert time.monotonic() - begin < 30
        assert "\n" not in str(caught.value)
        assert "secret" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert not (results / ".sync.lock").exists()
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" not in os.environ


@pytest.mark.parametrize("server", ["dead", "silent"])
def test_sync_gives_up_by_itself_with_one_line_and_a_code(results: Path, silent: str, server: str) -> None:
    done = bench_sync(results, silent if server == "silent" else f"http://127.0.0.1:{closed()}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: MLflow at http://127.0.0.1:")
    assert done.stderr.endswith(f"the records stay in {results}: sync again later\n")
    assert done.stderr.count("\n") == 1


def test_a_users_patience_goes_first(results: Path, silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for limits in (connection.IMPATIENT, connection.PATIENT):
        monkeypatch.setitem(limits, "MLFLOW_HTTP_REQUEST_TIMEOUT", "600")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    begin = time.monotonic()
    with pytest.raises(TrackingUnavailable):
        sync(results, silent)
    assert time.monotonic() - begin < 60


class Once(http.server.BaseHTTPRequestHandler):
    """Answers the first request, then none."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        if self.asked > 1:
            time.sleep(600)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET

    def log_message(self, *arguments: Any) -> None:
        pass


def test_a_server_that_falls_silent_is_given_up_as_well(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.PATIENT, "MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Once)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    begin = time.monotonic()
    with pytest.raises(TrackingUnavailable, match="timed out"):
        sync(results, f"http://127.0.0.1:{server.server_port}")
    assert Once.asked > 1
    assert time.monotonic() - begin < 60
    server.shutdown()


def test_a_sweep_ends_as_its_cells_did_and_no_process_of_theirs_knows_mlflow(tmp_path: Path, silent: str) -> None:
    place = make(tmp_path, method="finetune")
    give_teacher(place)
    imports = tmp_path / "imports"
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch/sitecustomize.py").write_text(WATCH)
    told = {"MLFLOW_TRACKING_URI": silent, "MLFLOW_HTTP_REQUEST_TIMEOUT": "1", "IMPORTS": str(imports)}
    done = place.bench("run", str(place.suite), PYTHONPATH=f"{tmp_path}/watch:{ROOT}", **told)
    assert done.returncode == 0, done.stderr
    assert [record.status for record in place.records()] == ["ok"]
    assert "sync again later" in done.stdout + done.stderr
    watched = imports.read_text().splitlines()
    assert watched and not [command for command in watched if "bench.runner" in command]

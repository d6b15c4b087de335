"""MLflow as a view of the records, on a real server that is killed and started again in the middle of things."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflowserver import Server
from recordfactory import make_record

from bench import records
from bench.errors import TrackingUnavailable
from bench.records import Record
from bench.track import Synced, sync

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]

SYNC = """
import sys
from pathlib import Path
from bench.track import sync
done = sync(Path(sys.argv[1]), sys.argv[2])
print(done.added, done.updated, done.unchanged, done.left, *done.problems)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def client(server: Server) -> Any:
    from mlflow import MlflowClient

    if server.process is None:
        server.start()
    return MlflowClient(server.uri)


def write(results: Path, suite: str, count: int, **overrides: Any) -> list[Record]:
    """Write so many records, of ids that no other test has."""
    specs = [{"seed": seed, "options": {"test": suite}} for seed in range(count)]
    made = [make_record(suite=suite, spec=spec, **overrides) for spec in specs]
    for record in made:
        records.write(results, record)
    return made


def cells(client: Any, suite: str) -> list[Any]:
    experiment = client.get_experiment_by_name(f"lowbit/{suite}")
    return [run for run in client.search_runs([experiment.experiment_id]) if "bench.cell_id" in run.data.tags]


def test_a_server_shows_records_and_keeps_their_files(server: Server, client: Any, tmp_path: Path) -> None:
    record = write(tmp_path, "first", 3, epochs=1500)[0]
    assert sync(tmp_path, server.uri) == Synced(added=3)
    assert sync(tmp_path, server.uri) == Synced(unchanged=3)
    run = next(run for run in cells(client, "first") if run.data.tags["bench.cell_id"] == record.id)
    assert run.data.metrics["accuracy/top1_last"] == 0.875
    assert len(client.get_metric_history(run.info.run_id, "accuracy/top1")) == 1500
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    path = client.download_artifacts(run.info.run_id, "record.json", str(tmp_path))
    assert json.loads(Path(path).read_text()) == vars(record)


def test_a_server_that_dies_between_two_syncs_loses_nothing(server: Server, client: Any, tmp_path: Path) -> None:
    write(tmp_path, "between", 2)
    assert sync(tmp_path, server.uri) == Synced(added=2)
    server.kill()
    write(tmp_path, "between", 4)
    begin = time.monotonic()
    with pytest.raises(TrackingUnavailable, match=r"\(Connection refused\)"):
        sync(tmp_path, server.uri)
    assert time.monotonic() - begin < 6
    assert len(records.load(tmp_path)) == 4
    server.start()
    assert sync(tmp_path, server.uri) == Synced(added=2, unchanged=2)
    assert len(cells(client, "between")) == 4


@pytest.mark.parametrize("call", ["log_batch", "log_artifacts", "set_terminated"])
def test_a_server_that_dies_within_a_sync_ends_with_one_whole_run_a_record(
    server: Server, client: Any, tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    write(tmp_path, f"within-{call}", 4)
    calls, original = Counter[str](), getattr(MlflowClient, call)

    def dying(*arguments: Any, **named: Any) -> Any:
        calls[call] += 1
        if calls[call] == 3:
            server.kill()
        return original(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, call, dying)
        with pytest.raises(TrackingUnavailable, match=r"\(Connection (refused|reset by peer)\)|closed connection"):
            sync(tmp_path, server.uri)
    assert not (tmp_path / ".sync.lock").exists()
    server.start()
    done = sync(tmp_path, server.uri)
    assert done.added + done.updated + done.unchanged == 4
    assert done.unchanged in (1, 2)
    runs = cells(client, f"within-{call}")
    assert len({run.data.tags["bench.cell_id"] for run in runs}) == len(runs) == 4
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert all(len(client.get_metric_history(run.info.run_id, "accuracy/top1")) == 2 for run in runs)
    assert sync(tmp_path, server.uri) == Synced(unchanged=4)


def test_two_processes_at_once_write_each_record_once(server: Server, client: Any, tmp_path: Path) -> None:
    write(tmp_path, "twice", 12)
    command = [sys.executable, "-c", SYNC, str(tmp_path), server.uri]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = sorted(list(map(int, process.communicate(timeout=120)[0].split())) for process in processes)
    assert outputs == [[0, 0, 0, 12], [12, 0, 0, 0]]
    assert len(cells(client, "twice")) == 12


def test_a_changed_record_shows_nothing_stale(server: Server, client: Any, tmp_path: Path) -> None:
    write(tmp_path, "changed", 1)
    sync(tmp_path, server.uri)
    write(tmp_path, "changed", 1, status="diverged")
    assert sync(tmp_path, server.uri) == Synced(updated=1)
    (run,) = cells(client, "changed")
    assert run.info.status == "FAILED"
    assert "accuracy/top1_last" not in run.data.metrics

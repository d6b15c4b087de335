"""MLflow as a view of the records, on SQLite; checked through MLflow's own client."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recordfactory import make_record

from bench import records
from bench.errors import TrackingUnavailable
from bench.locks import Lock
from bench.records import STATUSES, Record
from bench.track import Synced, index, mirror, sync
from bench.track.connection import address, artifact_root, connected
from bench.track.view import view

ROOT = Path(__file__).resolve().parents[1]

SYNC = """
import logging, os, signal, sys, time
from pathlib import Path
from bench.track import sync
logging.basicConfig(level=logging.INFO)
results = Path(sys.argv[1])
%s
done = sync(results)
print(done.added, done.updated, done.unchanged, done.left, *done.problems)
"""

PAUSED = """
from mlflow import MlflowClient
attach = MlflowClient.log_artifacts
def pause(*arguments):
    (results / "inside").touch()
    while not (results / "go").exists():
        time.sleep(0.02)
    attach(*arguments)
MlflowClient.log_artifacts = pause
"""

KILLED = """
from mlflow import MlflowClient
MlflowClient.log_artifacts = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
"""

COMPLAINTS = ("there twice", "zzz.json: not readable", "zzzz.json: not readable")

SPY = """
seen = []
class Spy:
    def find_spec(name, *others):
        if name == "mlflow":
            seen.extend([os.environ.get("MLFLOW_DISABLE_TELEMETRY"), os.environ.get("DO_NOT_TRACK")])
sys.meta_path.insert(0, Spy)
"""


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with all of MLflow's tables, which take seconds to make."""
    folder = tmp_path_factory.mktemp("migrated")
    with connected(f"sqlite:///{folder}/mlflow.db", folder):
        return folder / "mlflow.db"


@pytest.fixture
def results(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty results folder with a database."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(migrated, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def client(results: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(address(results, None))


def write(results: Path, count: int = 1, **overrides: Any) -> list[Record]:
    """Write so many records that differ in their seed."""
    made = [make_record(**{**overrides, "spec": {"seed": seed, **overrides.get("spec", {})}}) for seed in range(count)]
    for record in made:
        records.write(results, record)
    return made


def all_runs(client: Any) -> list[Any]:
    return list(client.search_runs([each.experiment_id for each in client.search_experiments()]))


def cells(client: Any) -> list[Any]:
    return [run for run in all_runs(client) if "bench.cell_id" in run.data.tags]


def parents(client: Any) -> list[Any]:
    return [run for run in all_runs(client) if "bench.cell_id" not in run.data.tags]


def only(runs: list[Any]) -> Any:
    assert len(runs) == 1
    return runs[0]


def requests(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each of MLflow's functions that we use is called from now on."""
    from mlflow import MlflowClient

    asked: Counter[str] = Counter()

    def counted(name: str) -> Callable[..., Any]:
        original = getattr(MlflowClient, name)

        def call(*arguments: Any, **named: Any) -> Any:
            asked[name] += 1
            return original(*arguments, **named)

        return call

    for name in vars(MlflowClient):
        if name.startswith(("create_", "search_", "log_", "set_", "get_", "delete_", "restore_", "update_")):
            monkeypatch.setattr(MlflowClient, name, counted(name))
    return asked


def spawn(results: Path, change: str = "") -> subprocess.Popen[str]:
    """A process that syncs, with something changed in it beforehand."""
    command = [sys.executable, "-c", SYNC % change, str(results)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def wait_for_content(path: Path) -> None:
    """Until something was committed to a database file, which is long before its migration is done."""
    wait_for(path)
    deadline = time.monotonic() + 60
    while path.stat().st_size == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_neither_importing_nor_having_nothing_to_show_imports_mlflow(tmp_path: Path) -> None:
    code = SYNC % "" + "\nassert not {'mlflow', 'pandas', 'torch'} & sys.modules.keys()\n"
    (tmp_path / "records").mkdir()
    for folder in (tmp_path, tmp_path / "none"):
        subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_a_record_becomes_a_run(results: Path, client: Any) -> None:
    record = only(write(results, run={"weights_file": "weights/a.safetensors"}, spec={"options": {"on": True}}))
    (results / "weights").mkdir()
    (results / "weights/a.safetensors").write_bytes(b"packed")
    assert sync(results) == Synced(added=1)

    experiment = client.get_experiment_by_name("lowbit/cifar10")
    assert Path(experiment.artifact_location.removeprefix("file://")) == results / "mlflow-artifacts/cifar10"
    run, parent = only(cells(client)), only(parents(client))
    assert run.info.experiment_id == parent.info.experiment_id == experiment.experiment_id
    assert run.info.run_name == "gdfq-resnet20-w4a4-quick-s0"
    assert (run.info.start_time, run.info.end_time) == (1795226400000, 1795228200000)
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert parent.data.tags["bench.sweep"] == run.data.tags["bench.sweep"] == "cifar10/2026-11-21T01:59:00Z"
    times = parent.info.start_time, parent.info.end_time
    assert (parent.info.status, *times) == ("FINISHED", 1795226340000, 1795228200000)
    assert run.data.tags["bench.cell_id"] == record.id
    assert run.data.tags["bench.platform"] == record.platform
    assert run.data.tags["bench.provenance"] == "measured"
    assert run.data.params == {
        "method": "gdfq",
        "dataset": "cifar10",
        "model": "resnet20",
        "w_bits": "4",
        "a_bits": "4",
        "schedule": "quick",
        "precision": "fp32",
        "seed": "0",
        "init": "a" * 64,
        "tutor": "b" * 64,
        "option_temperature": "20.0",
        "option_on": "true",
    }


def test_numbers_curves_and_files_arrive_as_they_are(results: Path, client: Any) -> None:
    record = only(write(results, epochs=1500, run={"weights_file": "weights/a.safetensors"}))
    (results / "weights").mkdir()
    (results / "weights/a.safetensors").write_bytes(b"packed")
    sync(results)

    run = only(cells(client))
    expected = {
        "accuracy/top1_last": 0.875,
        "accuracy/top1_best": 0.875,
        "accuracy/top1_untrained": 0.25,
        "accuracy/top1_init": 0.92,
        "accuracy/top5_last": 0.99,
        "memory/peak_rss_bytes": 1.5e9,
        "cost/seconds_draw": 1000.0,
        "cost/seconds_learn": 500.0,
        "cost/shared": 3.0,
    }
    assert expected.items() <= run.data.metrics.items()
    for key, values in {
        "accuracy/top1": [each["top1"] for each in record.result["epochs"]],
        "loss/draw/cross_entropy": [1 / (epoch + 1) for epoch in range(1500)],
    }.items():
        history = client.get_metric_history(run.info.run_id, key)
        assert sorted((point.step, point.value) for point in history) == list(enumerate(values))

    folder = Path(client.download_artifacts(run.info.run_id, "", str(results / "down")))
    written = records.path_of(results, "cifar10", "gdfq", record.id, record.platform)
    assert (folder / "record.json").read_bytes() == written.read_bytes()
    assert json.loads((folder / "config.json").read_text()) == record.spec
    assert json.loads((folder / "environment.json").read_text()) == record.run["environment"]
    assert (folder / "weights/a.safetensors").read_bytes() == b"packed"


def test_each_status_has_one_of_mlflows(results: Path, client: Any) -> None:
    for seed, status in enumerate(STATUSES):
        records.write(results, make_record(status=status, spec={"seed": seed}))
    sync(results)
    shown = {run.data.tags["bench.status"]: run.info.status for run in cells(client)}
    assert shown == {
        "ok": "FINISHED",
        "failed": "FAILED",
        "oom": "FAILED",
        "timeout": "FAILED",
        "diverged": "FAILED",
        "skipped": "KILLED",
    }
    reasons = {run.data.tags["bench.status"]: run.data.tags.get("bench.reason") for run in cells(client)}
    assert reasons["ok"] is None
    assert reasons["oom"] == "made oom by a test"


def test_syncing_again_changes_nothing_page_by_page_too(
    results: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(results, 5)
    write(results, 2, suite="other")
    assert sync(results) == Synced(added=5)  # two of the five were asked for by another suite
    before = {run.info.run_id: run.to_dictionary() for run in all_runs(client)}
    assert len(before) == 5 + 2
    for size in (1000, 2):
        monkeypatch.setattr(index, "PAGE", size)
        assert sync(results) == Synced(unchanged=5)
    assert {run.info.run_id: run.to_dictionary() for run in all_runs(client)} == before


def test_a_changed_record_replaces_its_run(results: Path, client: Any) -> None:
    write(results, 2, epochs=7)
    sync(results)
    kept = {run.data.params["seed"]: run.info.run_id for run in cells(client)}
    write(results, 1, status="failed")
    assert sync(results) == Synced(updated=1, unchanged=1)
    runs = {run.data.params["seed"]: run for run in cells(client)}
    assert runs.keys() == {"0", "1"}
    assert runs["0"].info.status == "FAILED"
    assert not [key for key in runs["0"].data.metrics if key.startswith(("accuracy", "loss"))]
    assert runs["1"].info.run_id == kept["1"]
    assert len(parents(client)) == 1


def test_a_record_of_another_sweep_and_suite_moves_and_leaves_no_empty_parent(results: Path, client: Any) -> None:
    write(results)
    sync(results)
    write(results, suite="smoke", run={"sweep": "later", "ended": "2026-11-22T00:00:00Z"})
    assert sync(results) == Synced(updated=1)
    run, parent = only(cells(client)), only(parents(client))
    assert run.info.experiment_id == client.get_experiment_by_name("lowbit/smoke").experiment_id
    assert parent.data.tags["bench.sweep"] == "smoke/later"
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id


def test_a_sweep_ends_with_its_last_run(results: Path, client: Any) -> None:
    write(results)
    sync(results)
    records.write(results, make_record(spec={"seed": 1}, run={"ended": "2026-11-21T05:00:00Z"}))
    assert sync(results) == Synced(added=1, unchanged=1)
    assert only(parents(client)).info.end_time == 1795228200000 + 9_000_000
    records.write(results, make_record(spec={"seed": 2}, run={"ended": "2026-11-21T03:00:00Z"}))
    sync(results)
    assert only(parents(client)).info.end_time == 1795228200000 + 9_000_000


def test_the_same_cell_on_two_platforms_is_two_runs(results: Path, client: Any) -> None:
    write(results)
    write(results, platform="cuda/h200/torch-2.15.0")
    assert sync(results) == Synced(added=2)
    assert sync(results) == Synced(unchanged=2)
    assert len({run.data.tags["bench.platform"] for run in cells(client)}) == 2


def test_a_record_without_times_or_sweep_is_shown_once(results: Path, client: Any) -> None:
    record = make_record(provenance="paper")
    records.write(results, Record(**{**vars(record), "run": {}}))
    assert sync(results) == Synced(added=1)
    end = only(parents(client)).info.end_time
    assert sync(results) == Synced(unchanged=1)
    assert only(parents(client)).data.tags["bench.sweep"] == "cifar10/unknown"
    assert only(parents(client)).info.end_time == end


def test_a_run_that_was_killed_in_the_middle_is_replaced(results: Path, client: Any) -> None:
    write(results, 2)
    process = spawn(results, KILLED)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    half = only(cells(client))
    assert half.data.metrics
    assert half.info.status == "RUNNING"
    assert (results / ".sync.lock").exists()

    assert sync(results) == Synced(added=1, updated=1)
    assert len(cells(client)) == 2
    assert {run.info.status for run in cells(client)} == {"FINISHED"}
    assert half.info.run_id not in {run.info.run_id for run in cells(client)}
    assert only(parents(client)).info.status == "FINISHED"
    assert sync(results) == Synced(unchanged=2)


def test_while_one_process_writes_another_leaves_the_records_to_it(results: Path, client: Any) -> None:
    write(results, 3)
    writer = spawn(results, PAUSED)
    wait_for(results / "inside")
    begin = time.monotonic()
    assert sync(results) == Synced(left=3)
    assert time.monotonic() - begin < 5
    (results / "go").touch()
    assert writer.communicate(timeout=60)[0].split() == ["3", "0", "0", "0"]
    assert len(cells(client)) == 3
    assert sync(results) == Synced(unchanged=3)


def test_a_writer_that_lost_its_lock_stops(results: Path, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write(results, 3)
    answers = iter([True, False])
    monkeypatch.setattr(Lock, "mine", lambda lock: next(answers, True))
    assert sync(results) == Synced(added=1, left=2)
    assert len(cells(client)) == 1


def test_what_someone_deleted_in_mlflow_comes_back_once(results: Path, client: Any) -> None:
    write(results, 3)
    sync(results)
    client.delete_run(cells(client)[0].info.run_id)
    assert sync(results) == Synced(added=1, unchanged=2)
    client.delete_experiment(client.get_experiment_by_name("lowbit/cifar10").experiment_id)
    assert sync(results) == Synced(unchanged=3)
    assert len(cells(client)) == 3
    client.delete_run(only(parents(client)).info.run_id)
    assert sync(results) == Synced(updated=3)
    assert {run.data.tags["mlflow.parentRunId"] for run in cells(client)} == {only(parents(client)).info.run_id}
    assert len(cells(client)) == 3


def test_runs_of_others_stay(results: Path, client: Any) -> None:
    write(results)
    sync(results)
    theirs = client.create_run(client.get_experiment_by_name("lowbit/cifar10").experiment_id).info.run_id
    elsewhere = client.create_run(client.create_experiment("theirs")).info.run_id
    for path in (results / "records").rglob("*.json"):
        path.unlink()
    write(results, 1, spec={"seed": 5})
    assert sync(results) == Synced(added=1)
    assert {theirs, elsewhere} <= {run.info.run_id for run in all_runs(client)}
    assert len(cells(client)) == 2


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ({"spec": {"options": {"x" * 300: 1}}}, "MLflow refuses it"),
        ({"run": {"weights_file": "../../etc/passwd"}}, "not inside the results folder"),
        ({"run": {"weights_file": "/etc/passwd"}}, "not inside the results folder"),
        ({"run": {"started": "yesterday"}}, "cannot be shown in MLflow"),
        ({"result": {"epochs": [{"top1": 0.5}]}}, "cannot be shown in MLflow"),
    ],
)
def test_a_record_that_cannot_be_shown_is_a_problem_of_its_own(
    results: Path, client: Any, overrides: dict[str, Any], complaint: str
) -> None:
    bad = make_record(**overrides, platform="bad")
    records.write(results, bad)
    write(results, 2)
    for expected in ({"added": 2}, {"unchanged": 2}):
        done = sync(results)
        assert done == Synced(**expected, problems=done.problems)
        problem = only(list(done.problems))
        assert complaint in problem
        assert f"{bad.id[:16]}@bad" in problem
        assert "\n" not in problem
    assert len(cells(client)) == 2


def test_the_only_record_of_a_sweep_leaves_nothing_where_it_is_refused(results: Path, client: Any) -> None:
    write(results, spec={"options": {"x" * 300: 1}})
    assert len(sync(results).problems) == 1
    assert all_runs(client) == []


@pytest.mark.parametrize("changed", [False, True], ids=["equal", "another"])
def test_corrupt_missing_and_doubled_files_are_problems(results: Path, client: Any, changed: bool) -> None:
    record = only(write(results))
    path = records.path_of(results, "cifar10", "gdfq", record.id, record.platform)
    (path.parent / "zz.json").write_bytes(path.read_bytes() + b"\n" * changed)
    (path.parent / "zzz.json").write_text("{")
    (path.parent / "zzzz.json").symlink_to("nowhere")
    for expected in ({"added": 1}, {"unchanged": 1}):
        done = sync(results)
        assert done == Synced(**expected, problems=done.problems)
        assert [word in line for word, line in zip(COMPLAINTS, done.problems, strict=True)] == [True] * 3
    assert len(cells(client)) == 1


def test_each_record_takes_one_request_for_everything_that_is_measured(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(results, 3, epochs=400)
    asked = requests(monkeypatch)
    sync(results)
    del asked["search_experiments"], asked["search_runs"], asked["create_experiment"]
    assert asked == {"create_run": 3 + 1, "log_batch": 3, "log_artifacts": 3, "set_terminated": 3 + 1}


def test_what_is_in_already_takes_one_request_a_page_and_is_not_parsed(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(results, 5)
    sync(results)
    monkeypatch.setattr(mirror, "read", None)
    for size, count in ((1000, 1), (2, 3)):  # five runs and their parent
        monkeypatch.setattr(index, "PAGE", size)
        with monkeypatch.context() as patch:
            asked = requests(patch)
            assert sync(results) == Synced(unchanged=5)
        del asked["search_experiments"]
        assert asked == {"search_runs": count}


def test_only_a_database_that_can_be_made_again_is_written_without_waiting_for_the_disk(
    results: Path, migrated: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    theirs = shutil.copy(migrated, tmp_path_factory.mktemp("theirs") / "mlflow.db")
    write(results)
    assert (waits(results, None), waits(results, f"sqlite:///{theirs}")) == ({0}, {2})


def waits(results: Path, uri: str | None) -> set[int]:
    """SQLite's `synchronous` of all connections of a sync: 0 for no waiting, 2 for waiting after each transaction."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    seen = set()

    def look(connection: Any, _: object) -> None:
        seen.add(connection.execute("PRAGMA synchronous").fetchone()[0])

    event.listen(Engine, "checkin", look)
    try:
        sync(results, uri)
    finally:
        event.remove(Engine, "checkin", look)
    return seen


def test_names_that_mlflow_forbids_are_replaced() -> None:
    record = make_record(result={"epochs": [{"epoch": 0, "losses": {"kl@20%": 1.0, "../a//b": 2.0}}]})
    keys = [point.key for point in view(record, "").points if point.key.startswith("loss")]
    assert keys == ["loss/kl_20_", "loss/a/b"]


@pytest.mark.parametrize(
    "times",
    [
        ("2026-11-21T02:00:00Z", "2026-11-21T03:00:00+01:00"),
        ("2026-11-21T02:00:00", "2026-11-21T02:00:00.000+00:00"),
    ],
)
def test_times_are_utc(times: tuple[str, str]) -> None:
    shown = view(make_record(run={"started": times[0], "ended": times[1]}), "")
    assert shown.start == shown.end == 1795226400000


def test_where_mlflow_is(monkeypatch: pytest.MonkeyPatch) -> None:
    results = Path("/some/results")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert address(results, None) == "sqlite:////some/results/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server")
    assert address(results, None) == "http://server"
    assert address(results, "http://other") == "http://other"
    assert artifact_root(results, "http://server") is None
    assert artifact_root(results, "postgresql+psycopg2://host/db") == results / "mlflow-artifacts"


def test_a_database_that_is_none_is_one_clear_line(results: Path) -> None:
    write(results)
    (results / "mlflow.db").write_text("no database at all" * 100)
    with pytest.raises(TrackingUnavailable, match="file is not a database.*delete that file"):
        sync(results)


def test_syncing_says_nothing_and_sends_no_telemetry(results: Path) -> None:
    write(results)
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    code = (
        SYNC % SPY
        + f"""
from bench.errors import TrackingUnavailable
try:
    sync(results, "http://127.0.0.1:{closed}")
except TrackingUnavailable as error:
    print("unavailable", *seen)
"""
    )
    ours = ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
    environment = {key: value for key, value in os.environ.items() if key not in ours}
    command = [sys.executable, "-c", code, str(results)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, env=environment)
    assert (done.stdout.split(), done.stderr) == (["1", "0", "0", "0", "unavailable", "true", "true"], "")


@pytest.mark.slow
def test_four_processes_on_a_fresh_database_end_with_one_run_a_record(results: Path) -> None:
    from mlflow import MlflowClient

    (results / "mlflow.db").unlink()
    write(results, 4)
    processes = [spawn(results) for _ in range(4)]
    said = [process.communicate(timeout=120) for process in processes]
    assert [(process.returncode, errors) for process, (_, errors) in zip(processes, said, strict=True)] == [(0, "")] * 4
    outputs = [output.split() for output, _ in said]
    assert sum(int(output[0]) for output in outputs) == 4
    assert all(sum(map(int, output)) == 4 for output in outputs)
    assert len(cells(MlflowClient(address(results, None)))) == 4


@pytest.mark.slow
def test_two_results_folders_can_begin_one_database_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/shared.db")
    for number in range(2):
        write(tmp_path / str(number), spec={"options": {"folder": number}})
    processes = [spawn(tmp_path / str(number)) for number in range(2)]
    said = [process.communicate(timeout=120) for process in processes]
    assert [(output.split(), errors) for output, errors in said] == [(["1", "0", "0", "0"], "")] * 2
    assert len(cells(MlflowClient(f"sqlite:///{tmp_path}/shared.db"))) == 2


@pytest.mark.slow
def test_a_database_whose_migration_was_killed_is_built_anew(results: Path) -> None:
    from mlflow import MlflowClient

    (results / "mlflow.db").unlink()
    write(results)
    process = spawn(results)
    wait_for_content(results / ".mlflow.db.part")
    process.kill()
    process.communicate()
    assert not (results / "mlflow.db").exists()
    assert sync(results) == Synced(added=1)
    assert len(cells(MlflowClient(address(results, None)))) == 1
    assert not list(results.glob(".mlflow*"))

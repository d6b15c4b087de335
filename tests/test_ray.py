"""The executor for Ray, on a Ray cluster of several nodes on this machine."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from clusterjobs import PATIENCE, end_of, first_job, place_of, started, under_way, until, workplace
from faults import prepare, twin

from bench.errors import BenchError, MissingExtra
from bench.runner import exits
from bench.sweep.executors import LOST, Executor, Running, executor
from bench.sweep.executors.ray import VARIABLES, share_of


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A head without CPUs and two nodes with one each, which the executor finds as users' do."""
    theirs = {"BENCH_CHECKPOINT_SECONDS": "0", "FAULTS": str(tmp_path / "swept" / "faults")}
    for name, value in (VARIABLES | theirs).items():
        monkeypatch.setenv(name, value)
    from ray.cluster_utils import Cluster

    held = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(2):
            held.add_node(num_cpus=1)
        held.wait_for_nodes()
        monkeypatch.setenv("RAY_ADDRESS", held.address)
        yield held
    finally:
        held.shutdown()


@pytest.fixture
def ray(cluster: Any, tmp_path: Path) -> Iterator[Executor]:
    held = executor("ray", place_of(workplace(tmp_path / "any")), None)
    try:
        yield held
    finally:
        held.close()


def runner_of(running: Running, log: Path) -> psutil.Process:
    """The process that runs a job: it has its log open."""
    found: list[psutil.Process] = []

    def there() -> bool:
        found[:] = [process for process in psutil.process_iter() if _writes(process, log)]
        return bool(found)

    until(there)
    return max(found, key=lambda process: process.pid)


def _writes(process: psutil.Process, log: Path) -> bool:
    try:
        return log.samefile(f"/proc/{process.pid}/fd/1")
    except OSError:
        return False


def node_of(cluster: Any, process: psutil.Process) -> Any:
    """The node that a process runs on: it descends from a worker of that node's raylet."""
    above = {parent.pid for parent in process.parents()}
    for node in cluster.worker_nodes:
        raylets = {info.process.pid for info in node.all_processes["raylet"]}
        if above & raylets:
            return node
    raise AssertionError("the process runs on no node")


@pytest.mark.slow
def test_job_continues_on_another_node_when_its_own_is_lost(cluster: Any, ray: Executor, tmp_path: Path) -> None:
    calm, lost = workplace(tmp_path / "calm"), workplace(tmp_path / "lost")
    undisturbed = started(ray, calm)
    assert end_of(undisturbed) == exits.OK
    assert undisturbed.seconds() > 0

    running = started(ray, lost)
    under_way(lost, running)
    process = runner_of(running, first_job(lost).log)
    cluster.remove_node(node_of(cluster, process), allow_graceful=False)
    assert end_of(running) == LOST
    psutil.wait_procs([process], timeout=30)
    assert not process.is_running(), "it outlived its node"
    assert not lost.records()

    assert end_of(started(ray, lost)) == exits.OK
    assert lost.records()[0].run["resumed"] >= 1
    assert lost.digests() == calm.digests()


@pytest.mark.slow
def test_a_sweep_ends_as_if_no_node_had_been_removed(cluster: Any, tmp_path: Path) -> None:
    swept = prepare(tmp_path / "swept", ("W3A3", "W4A4"), seeds=3, shared=False)
    calm = twin(swept, tmp_path / "calm")
    swept.set(W3A3_s0="hang")
    process = swept.start("--executor", "ray", BENCH_CHECKPOINT_SECONDS="0")
    try:
        hung = swept.folder / "W3A3-s0.pid"
        until(lambda: process.poll() is not None or (hung.exists() and hung.read_text()))
        cluster.remove_node(node_of(cluster, psutil.Process(int(hung.read_text()))), allow_graceful=False)
        said, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == calm.run().returncode == 0, said
    assert swept.resumed()["W3A3-s0"] >= 1
    assert swept.digests() == calm.digests() and len(swept.digests()) == 6


@pytest.mark.slow
def test_stop_writes_a_checkpoint_and_kill_leaves_no_process(ray: Executor, tmp_path: Path) -> None:
    work = workplace(tmp_path / "work")
    log = first_job(work).log
    running = started(ray, work)
    under_way(work, running)
    running.stop(at_once=False)
    assert end_of(running) == exits.INTERRUPTED
    assert "the same command continues from there" in log.read_text()
    assert not work.records()

    again = started(ray, work)
    process = runner_of(again, log)
    again.stop(at_once=True)
    assert end_of(again) == -signal.SIGKILL
    psutil.wait_procs([process], timeout=30)
    assert not process.is_running()

    assert end_of(started(ray, work)) == exits.OK
    assert work.records()[0].run["resumed"] >= 1
    assert not list((tmp_path / "any" / "results" / ".work" / "ray").iterdir())


@pytest.mark.slow
def test_job_that_dies_tells_its_signal_and_waiting_ones_are_cancelled(ray: Executor, tmp_path: Path) -> None:
    places = [workplace(tmp_path / name) for name in ("first", "second", "third")]
    first, second, third = (started(ray, work) for work in places)
    process = runner_of(first, first_job(places[0]).log)
    runner_of(second, first_job(places[1]).log)
    assert third.ended() is None
    assert third.seconds() == 0
    third.stop(at_once=False)
    assert end_of(third) == exits.INTERRUPTED
    process.send_signal(signal.SIGSEGV)
    assert end_of(first) == -signal.SIGSEGV
    assert end_of(second) == exits.OK
    assert not places[2].records()


@pytest.mark.slow
def test_threads_that_no_machine_has_are_refused(cluster: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    place = replace(place_of(workplace(tmp_path)), threads=64)
    with pytest.raises(BenchError, match="no machine of the Ray cluster has 64 CPU"):
        executor("ray", place, None)


def test_share_of_a_gpu_is_checked() -> None:
    assert share_of("") == 1
    assert share_of("0.25") == 0.25
    for wrong in ("0", "1.5", "-1", "half", "nan"):
        with pytest.raises(BenchError, match="BENCH_RAY_GPU_SHARE"):
            share_of(wrong)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'lowbit-bench\[ray\]'"):
        executor("ray", place_of(workplace(tmp_path)), None)


def test_address_at_which_nothing_listens_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", object())
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(BenchError, match="no Ray cluster answers at RAY_ADDRESS=127.0.0.1:1"):
        executor("ray", place_of(workplace(tmp_path)), None)

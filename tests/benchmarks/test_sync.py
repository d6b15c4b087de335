"""Syncing with MLflow: the first time, with curves, and again when nothing has changed; a database and a server.

Records are copies of the one with most curves in this repository, under other seeds. The first sync is beside writing
the same records, a repeated one beside reading them; `extra_info` also holds this process's own seconds. Settings:
BENCH_RECORDS, of the repeated one (1,000), and BENCH_FIRST, of the first one (20; a fifth of them with long curves).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from beside import Beside
from mlflowserver import Server

from bench import records
from bench.records import Record, seal
from bench.track import Synced, sync

RESULTS = Path(__file__).resolve().parents[2] / "results"
COUNT = int(os.environ.get("BENCH_RECORDS", "1000"))
FIRST = int(os.environ.get("BENCH_FIRST", "20"))
EPOCHS = 16
ROUNDS = 3


def pattern() -> Record:
    """The record of 16 epochs with most losses."""
    found = [each for each in records.load(RESULTS) if len(each.result.get("epochs", ())) == EPOCHS]
    return max(found, key=lambda record: len(record.result["epochs"][-1]["losses"]))


def fill(results: Path, seeds: range, epochs: int) -> None:
    """Write one record a seed, its curves as long as wanted, and the weights that all of them share."""
    like = pattern()
    curve = [{**like.result["epochs"][epoch % EPOCHS], "epoch": epoch} for epoch in range(epochs)]
    result = seal({**like.result, "epochs": curve})
    weights = results / like.run["weights_file"]
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes((RESULTS / like.run["weights_file"]).read_bytes())
    for seed in seeds:
        records.write(
            results, replace(like, id=f"{seed:016x}" + 48 * "0", spec={**like.spec, "seed": seed}, result=result)
        )


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with many records, all of which its database has."""
    results = tmp_path_factory.mktemp("full")
    fill(results, range(COUNT), EPOCHS)
    assert sync(results, database(results)) == Synced(added=COUNT)
    return results


@pytest.fixture(scope="module")
def server(full: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of that database."""
    made = Server(tmp_path_factory.mktemp("server"), full / "mlflow.db")
    made.start()
    yield made
    made.kill()


def database(results: Path) -> str:
    return f"sqlite:///{results}/mlflow.db"


def place(store: str, results: Path, request: pytest.FixtureRequest) -> str:
    """The tracking URI of a kind of store, its server started."""
    return database(results) if store == "sqlite" else request.getfixturevalue("server").uri


STORES = pytest.mark.parametrize("store", ["sqlite", "server"])


@STORES
def test_syncing_again(beside: Beside, full: Path, request: pytest.FixtureRequest, store: str) -> None:
    uri = place(store, full, request)
    own: list[float] = []

    def again() -> None:
        began = time.process_time()
        assert sync(full, uri) == Synced(unchanged=COUNT)
        own.append(time.process_time() - began)

    beside.in_turn(again, {"reading the records": lambda: records.load(full)}, rounds=ROUNDS)
    beside.benchmark.extra_info.update(records=COUNT, process_seconds=median(own))


@STORES
@pytest.mark.parametrize("epochs", [EPOCHS, 25 * EPOCHS])
def test_first_sync(beside: Beside, tmp_path: Path, request: pytest.FixtureRequest, store: str, epochs: int) -> None:
    count = FIRST if epochs == EPOCHS else max(FIRST // 5, 1)
    fill(tmp_path, range(1), 1)
    uri, own, rounds = place(store, tmp_path, request), [], iter(range(1, 100))
    sync(tmp_path, uri)  # makes the database

    def more() -> None:
        first = 10**6 * next(rounds) + epochs
        fill(tmp_path, range(first, first + count), epochs)

    def first_time() -> None:
        began = time.process_time()
        assert sync(tmp_path, uri).added == count
        own.append((time.process_time() - began) / count)

    beside.in_turn(first_time, {"writing the records": more}, rounds=ROUNDS)
    beside.benchmark.extra_info.update(records=count, epochs=epochs, process_seconds_a_record=median(own))

"""Every table of a hundred thousand records, on one core, beside reading their files.

Setting: BENCH_TABLES, the number of records.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from beside import Beside
from recordfactory import make_record

from bench import records
from bench.files import pretty_json
from bench.report import table

RECORDS = int(os.environ.get("BENCH_TABLES", "100000"))
SEEDS = 5
METHODS = ("adadfq", "akt", "bag", "gdfq", "hast")
LIMIT = 60.0
"""Seconds of one core for all tables."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with records of the size that a sweep leaves: five methods, six bit-widths, five seeds, many options."""
    folder = tmp_path_factory.mktemp("results")
    for number in range(RECORDS):
        write(folder, number)
    yield folder
    shutil.rmtree(folder)


def write(folder: Path, number: int) -> None:
    """The record of a number, without waiting for the disk."""
    variant, seed = divmod(number, SEEDS)
    variant, method = divmod(variant, len(METHODS))
    variant, bits = divmod(variant, 6)
    record = make_record(
        epochs=16,
        spec={
            "seed": seed,
            "method": METHODS[method],
            "bits": {"w": 3 + bits, "a": 3 + bits},
            "options": {"temperature": float(variant)},
        },
        data={"images": 10_000},
        method={"version": f"{METHODS[method]}-1", "defaults": {"temperature": 0.0}},
        result={
            "top1": {"last": 0.8 + number % 997 / 1e4},
            "correct": "A" * 1668,
            "correct_untrained": "A" * 1668,
            "ranges": {f"features.stage1.unit1.body.conv{layer}.activ": [0.0, layer / 7] for layer in range(19)},
        },
    )
    path = records.path_of(folder, record.spec["dataset"], record.spec["method"], record.id, record.platform)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(pretty_json(asdict(record)))


def read(folder: Path) -> None:
    """Every file, parsed."""
    for file in folder.rglob("*.json"):
        json.loads(file.read_bytes())


def test_every_table_of_a_hundred_thousand_records(beside: Beside, results: Path) -> None:
    """Reading and checking each record, statistics and all files."""
    spent: list[float] = []

    def write_all() -> None:
        began = time.process_time()
        table.write(results)
        spent.append(time.process_time() - began)

    beside.in_turn(write_all, {"reading the files": lambda: read(results)}, rounds=1)
    assert max(spent) < LIMIT
    with (results / "tables/cifar10.csv").open() as file:
        assert sum(1 for _ in file) - 1 == RECORDS / SEEDS

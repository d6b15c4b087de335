"""Every measurement in MLflow, checked through MLflow's own client on a real database."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from recordfactory import make_record

from bench import records
from bench.measure import measurement
from bench.measure.kernels import EAGER_FP32, FAKE_QUANTIZED, NONE, RUNTIME_INT8, TRAINING
from bench.measure.measurement import ANY, Measurement
from bench.stats.proportion import wilson
from bench.track import Synced, sync

SPEED = {"samples": [0.003, 0.001, 0.002], "p50": 0.002, "p90": 0.003, "p99": None, "images_per_second": 500.0}
FASTER = {**SPEED, "p50": 0.001}
MEMORY = {
    "resident": 9_000_000,
    "baseline": 5_000_000,
    "allocated": None,
    "reserved": 7_000_000,
    "nvml_process": "unknown",
    "nvml_device": 8_000_000,
}
COST = {"macs": 10, "bit_operations": 160, "packed_bytes": 7, "fp32_bytes": 40, "packed": {}, "layers": []}
JOULES = {"joules_per_1000": 1.5, "joules": 3.0, "images": 2000, "seconds": 5.0}


def made(kind: str, kernel: str, values: dict[str, Any], model: str = "d" * 64, **changes: Any) -> Measurement:
    """A measurement of the model of `make_record()`."""
    plain: dict[str, Any] = {
        "cells": [],
        "name": {"dataset": "cifar10", "model": "resnet20"},
        "bits": {"w": 4, "a": 4},
        "platform": "cpu/torch-2.15.0/2-threads",
        "processor": "a processor",
        "batch": 1,
        "beside": None,
        "settings": {},
        "disturbed": [],
        "seen": {},
        "environment": {},
        "time": None,
    }
    return Measurement(kind=kind, kernel=kernel, model=model, values=values, **{**plain, **changes})


BESIDE = {"model": "a" * 64, "kernel": EAGER_FP32, "values": FASTER}
EVERY = (
    made("latency", FAKE_QUANTIZED, SPEED, beside=BESIDE),
    made("latency", RUNTIME_INT8, SPEED, batch=128),
    made("step", TRAINING, SPEED, batch=16),
    made("memory", FAKE_QUANTIZED, MEMORY),
    made("energy", FAKE_QUANTIZED, JOULES),
    made("cost", NONE, COST, platform=ANY, processor=ANY),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one record, of whose model everything was measured, as MLflow shows it."""
    folder = tmp_path_factory.mktemp("results")
    record = make_record(run={"energy_joules": 1234.5})
    file = records.write(folder, record)
    for each in (*EVERY, made("cost", NONE, {**COST, "macs": 99}, model="e" * 64)):
        measurement.write(folder, each)
    stem = file.relative_to(folder / "records").with_suffix("")
    for picture in (
        folder / "images" / f"{stem}.png",
        *(folder / ".work/images" / stem / f"epoch-00{i}.png" for i in (1, 2)),
    ):
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(picture.name.encode())
    assert show(folder) == Synced(added=1)
    return folder


def database(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def show(folder: Path) -> Synced:
    return sync(folder, database(folder))


def shown(folder: Path) -> tuple[Any, Any]:
    """MLflow's client, and the only run of a cell that it knows."""
    from mlflow import MlflowClient

    client = MlflowClient(database(folder))
    experiment = client.get_experiment_by_name("lowbit/cifar10")
    (run,) = client.search_runs([experiment.experiment_id], "tags.`bench.cell_id` != ''")
    return client, run


def test_every_measurement_of_a_record_is_a_metric(results: Path) -> None:
    _, run = shown(results)
    low, high = wilson(0.875, 64)
    expected = {
        "accuracy/top1_last": 0.875,
        "accuracy/top1_best": 0.875,
        "accuracy/top1_untrained": 0.25,
        "accuracy/top1_init": 0.92,
        "accuracy/top1_last_low": low,
        "accuracy/top1_last_high": high,
        "accuracy/top5_last": 0.99,
        "accuracy/agreement": 0.90625,
        "accuracy/class/00": 1.0,
        "accuracy/class/09": 4 / 6,
        "memory/peak_rss_bytes": 1.5e9,
        "memory/train_resident_bytes": 1.4e9,
        "memory/evaluate_resident_bytes": 1.5e9,
        "energy/obtain_joules": 1234.5,
        "cost/seconds_draw": 1000.0,
        "cost/cpu_seconds_learn": 990.0,
        "cost/step_seconds_median": 12.0,
        "cost/steps": 40.0,
        "cost/images": 640.0,
    }
    assert {key: run.data.metrics.get(key) for key in expected} == expected


def test_every_measurement_of_its_model_is_a_metric_that_names_machine_kernel_and_batch(results: Path) -> None:
    _, run = shown(results)
    machine = EVERY[0].machine
    assert machine.startswith("cpu-torch-2.15.0-2-threads-")
    expected = {
        f"latency/{machine}/eager-fake-quantized-fp32/b1/p50_seconds": 0.002,
        f"latency/{machine}/eager-fake-quantized-fp32/b1/p90_seconds": 0.003,
        f"latency/{machine}/eager-fake-quantized-fp32/b1/images_per_second": 500.0,
        f"latency/{machine}/eager-fake-quantized-fp32/b1/times_fp32": 2.0,
        f"latency/{machine}/onnxruntime-int8/b128/p50_seconds": 0.002,
        f"latency/{machine}/eager-training/b16/p50_seconds": 0.002,
        f"memory/{machine}/eager-fake-quantized-fp32/b1/resident_bytes": 9e6,
        f"memory/{machine}/eager-fake-quantized-fp32/b1/reserved_bytes": 7e6,
        f"memory/{machine}/eager-fake-quantized-fp32/b1/nvml_device_bytes": 8e6,
        f"energy/{machine}/eager-fake-quantized-fp32/b1/joules_per_1000_images": 1.5,
        "cost/macs": 10.0,
        "cost/bit_operations": 160.0,
        "cost/packed_bytes": 7.0,
        "cost/fp32_bytes": 40.0,
    }
    assert {key: run.data.metrics.get(key) for key in expected} == expected


def test_what_is_unknown_is_no_metric(results: Path) -> None:
    _, run = shown(results)
    unknown = ("p99_seconds", "/allocated_bytes", "nvml_process_bytes", "train_allocated_bytes")
    assert not [key for key in run.data.metrics if key.endswith(unknown)]


def test_measurements_and_pictures_are_artifacts(results: Path, tmp_path: Path) -> None:
    client, run = shown(results)
    folder = Path(client.download_artifacts(run.info.run_id, "", str(tmp_path)))
    names = {path.name for path in (folder / "measurements").iterdir()}
    assert names == {measurement.path_of(results, each).name for each in EVERY}
    images = {path.name: path.read_bytes() for path in (folder / "images").iterdir()}
    assert images.keys() == {"last.png", "epoch-001.png", "epoch-002.png"}
    assert images["epoch-002.png"] == b"epoch-002.png"
    assert images["last.png"].endswith(b".png")


def test_measured_later_is_shown_later_and_nothing_else_changes_a_run(results: Path) -> None:
    assert show(results) == Synced(unchanged=1)
    measurement.write(results, replace(EVERY[-1], values={**COST, "macs": 20}))
    assert show(results) == Synced(updated=1)
    measurement.write(results, made("energy", FAKE_QUANTIZED, JOULES, batch=64))
    measurement.write(results, made("energy", FAKE_QUANTIZED, JOULES, model="e" * 64))
    assert show(results) == Synced(updated=1)
    assert show(results) == Synced(unchanged=1)
    _, run = shown(results)
    assert run.data.metrics["cost/macs"] == 20.0
    assert f"energy/{EVERY[0].machine}/eager-fake-quantized-fp32/b64/joules_per_1000_images" in run.data.metrics


def test_a_measurement_that_was_touched_is_a_problem_and_the_rest_is_shown(results: Path) -> None:
    path = measurement.path_of(results, EVERY[0])
    whole = path.read_text()
    path.write_text(json.dumps(json.loads(whole) | {"batch": 7}))
    done = show(results)
    assert (done.updated, len(done.problems)) == (1, 1)
    assert f"{path.name}: it does not match its digest" in done.problems[0]
    _, run = shown(results)
    assert not [key for key in run.data.metrics if "/b7/" in key or key.endswith("times_fp32")]
    path.write_text(whole)
    assert show(results) == Synced(updated=1)

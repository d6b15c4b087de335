"""Measuring: models made again from packed weights, latencies, what disturbs them, and the records they leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
import torch
from recordfactory import make_record
from tiny import network, setup, student
from torch import nn
from workplace import give_teacher, make

from bench import records
from bench.cli import main
from bench.cli.latencies import show
from bench.data import load_split
from bench.errors import ModelCorrupt, RecordInvalid
from bench.measure import environment, gpu, latency, measurement
from bench.measure.disturbance import Moment, facts, judge, watch
from bench.measure.gpu import GpuState
from bench.measure.measurement import Measurement
from bench.measure.quiet import Training
from bench.measure.stored import stored
from bench.method import Method
from bench.models import TeacherCard, publish, weights
from bench.models.weights import fingerprint
from bench.quant.describe import activation_ranges
from bench.quant.pack import pack
from bench.quant.unpack import unpack
from bench.records import Record, seal
from bench.runner.evaluate import TestImages as Images
from bench.runner.evaluate import score
from bench.runner.track import Track
from bench.spec import Bits
from methods.gdfq import GDFQ
from methods.qkd import QKD

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


@pytest.fixture(autouse=True, scope="module")
def single() -> Iterator[None]:
    """One thread: two that share a busy core wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No training outside of a test is asked to pause."""
    monkeypatch.setenv("BENCH_RUNTIME", str(tmp_path / "runtime"))


def pictures(count: int = 48) -> Images:
    """Random test images."""
    random = torch.Generator().manual_seed(3)
    images = torch.randint(256, (count, 32, 32, 3), generator=random, dtype=torch.uint8)
    labels = torch.randint(10, (count,), generator=random)
    return Images(images, labels, torch.tensor(MEAN), torch.tensor(STD))


def labelled() -> tuple[torch.Tensor, torch.Tensor]:
    test = pictures(16)
    return test.images, test.labels


def teacher(results: Path) -> str:
    """Store the tiny full-precision network; its sha256."""
    state = network().state_dict()
    card = TeacherCard("shapes10", "resnet20", 10, fingerprint(state), MEAN, STD, "measured", record="f" * 64)
    publish(results, card, state)
    return card.sha256


def trained(method: Method, bits: str, **options: Any) -> Track:
    """A cell that learnt for one step a phase."""
    given = setup(method, bits, steps=1, options=options, training=labelled)
    track, source = Track("cell", given, method.learner(given)), method.source(given)
    for step in given.schedule.walk():
        track.learn(step, source.draw(step, track.learner.student()), source.losses())
        if step.last:
            track.end_epoch(step, pictures())
    return track


def kept(results: Path, track: Track) -> Record:
    """The record of a cell; its weights are packed, and the model that it started from is stored."""
    cell = track.setup.cell.but(init=teacher(results))
    file = f"weights/{cell.method}.safetensors"
    weights.write(results / file, pack(track.learner.student()))
    made = make_record(spec=cell.plain(), run={"weights_file": file})
    record = replace(made, result=seal(track.result(None, pictures())))
    records.write(results, record)
    return record


def finished(results: Path) -> Record:
    """The record of a cell of GDFQ at W4A4."""
    return kept(results, trained(GDFQ(), "W4A4", ranges="corrected"))


METHODS = [
    (GDFQ(), {"ranges": "corrected", "student_rate": 0.01}),
    (GDFQ(), {"ranges": "published", "student_rate": 0.01}),
    (QKD(), {"first_last_bits": 0}),
    (QKD(), {"first_last_bits": 8}),
]


@pytest.mark.parametrize(("method", "options"), METHODS)
def test_a_stored_model_is_right_on_exactly_the_images_of_its_record(
    tmp_path: Path, method: Method, options: dict[str, Any]
) -> None:
    track = trained(method, "W5A4", **options)
    record = kept(tmp_path, track)
    found, images = stored(tmp_path, record), pictures().normalised(0, 8)
    assert score(found.model, pictures()).packed() == record.result["correct"]
    assert activation_ranges(found.model) == record.result["ranges"]
    with torch.no_grad():
        assert torch.equal(found.model(images), track.learner.student()(images))
        assert torch.equal(found.full(images), network()(images))


def test_a_model_under_another_range_rule_is_told_by_its_ranges() -> None:
    """The tensors are equal, and only one of both rules gives the record's ranges."""
    for rule in ("corrected", "published"):
        model = student("W4A4", rule=rule)
        images = torch.randn(2, 3, 32, 32)
        again = unpack(network, pack(model), Bits(4, 4), activation_ranges(model))
        assert torch.equal(again(images), model(images))


@pytest.mark.parametrize(
    ("bits", "ranges", "told"),
    [
        (Bits(3, 4), {}, "no W3A4 model of this network has these tensors"),
        (Bits(4, 4), {"stem.relu": [0.0, 1.0]}, "not those of the record"),
    ],
)
def test_tensors_of_something_else_are_refused(bits: Bits, ranges: dict[str, list[float]], told: str) -> None:
    with pytest.raises(ModelCorrupt, match=told):
        unpack(network, pack(student("W4A4")), bits, ranges)


def test_ranges_of_another_run_are_refused() -> None:
    model = student("W4A4")
    ranges = {name: [lo, 1.001 * hi] for name, (lo, hi) in activation_ranges(model).items()}
    with pytest.raises(ModelCorrupt, match="not those of the record"):
        unpack(network, pack(model), Bits(4, 4), ranges)


class Clock(nn.Module):
    """Notes its passes in a common list."""

    def __init__(self, name: str, passes: list[str]) -> None:
        super().__init__()
        self.name, self.passes = name, passes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes.append(self.name)
        time.sleep(0.002 if self.name == "b" else 0)
        return x


def test_models_are_measured_in_turn_and_the_order_turns_around() -> None:
    passes: list[str] = []
    models = {name: Clock(name, passes) for name in "ab"}
    latency.warm_up(models, torch.zeros(1), passes=1)
    assert passes == ["a", "b"]
    found = latency.sample(models, torch.zeros(1), 3)
    assert "".join(passes[2:]) == "abbaab"
    assert [len(samples) for samples in found.values()] == [3, 3]
    assert min(found["b"]) >= 0.002 > min(found["a"]) > 0


def test_percentiles_are_samples_and_missing_where_samples_are_too_few() -> None:
    many = latency.summary(8, [i / 100 for i in range(100, 0, -1)])
    assert (many["p50"], many["p90"], many["p99"]) == (0.5, 0.9, 0.99)
    assert many["samples"][0] == 1.0
    assert many["images_per_second"] == pytest.approx(8 / 0.505, abs=1e-3)
    few = latency.summary(1, [0.2] * 98 + [0.3])
    assert (few["p50"], few["p90"], few["p99"]) == (0.2, 0.2, None)
    assert latency.summary(1, [0.5])["p90"] is None


def test_settings_of_a_measurement_end_with_it() -> None:
    before = torch.get_num_threads()
    with latency.settings(before + 1):
        assert torch.get_num_threads() == before + 1
        assert not torch.backends.cudnn.allow_tf32
    assert torch.get_num_threads() == before
    assert torch.backends.cudnn.allow_tf32


QUIET = Moment(time=10.0, busy=100.0, stolen=1.0, own=5.0, throttled=3, held_back=0.5, mhz=2000.0)


def later(**changes: Any) -> Moment:
    """Ten seconds after QUIET, of which this process used eight of one core, and nobody else anything."""
    return replace(QUIET, **({"time": 20.0, "busy": 108.0, "own": 13.0} | changes))


def test_a_machine_of_our_own_disturbs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert judge(QUIET, later()) == []
    assert judge(QUIET, later(busy=108.9, stolen=1.19)) == []
    found = facts(QUIET, later(busy=108.9))
    assert (found["others_cores"], found["own_cores"], found["throttled"]) == (0.09, 0.8, 0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"busy": 109.1}, "other processes used 0.11 of 2 cores (more than 0.10)"),
        ({"stolen": 1.3}, "the hypervisor took 1.5% of the processors' time (more than 1%)"),
        ({"throttled": 5}, "processors were slowed down for heat 2 times"),
        ({"held_back": 0.75}, "the container's CPU quota made it wait for 0.250 s"),
    ],
)
def test_each_disturbance_has_its_sentence(changes: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert judge(QUIET, later(**changes)) == [told]


def test_many_cores_allow_half_a_core_and_what_is_unknown_is_no_disturbance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert judge(QUIET, later(busy=112.9)) == []
    assert judge(QUIET, later(busy=113.1)) == ["other processes used 0.51 of 64 cores (more than 0.50)"]
    blind = replace(QUIET, throttled=None, held_back=None)
    assert judge(blind, later()) == []
    assert facts(blind, later())["throttled"] is None


def test_a_busy_process_of_someone_else_is_seen_and_our_own_work_is_not_others() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    assert busy.stdout is not None
    busy.stdout.readline()
    try:
        with watch() as seen:
            until = time.process_time() + 0.3
            while time.process_time() < until:
                pass
    finally:
        busy.kill()
        busy.communicate()
    assert any("other processes used" in sentence for sentence in seen.sentences)
    assert seen.facts["own_cores"] * seen.facts["seconds"] == pytest.approx(0.3, abs=0.05)


CARD = GpuState(1980, 3201, 40, 120.0, reasons=(), held_back=0, processes=(os.getpid(),))


def test_a_gpu_of_our_own_disturbs_nothing_and_one_that_says_nothing_neither() -> None:
    silent = GpuState(*[None] * 7)
    assert gpu.judge(CARD, CARD) == gpu.judge(silent, silent) == []
    assert gpu.judge(CARD, replace(CARD, processes=(os.getpid(), 7)), quiet=[7]) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"processes": (7, 8, os.getpid())}, "other processes were on the GPU: 7, 8"),
        ({"reasons": ("power limit",)}, "the GPU was slowed down: power limit"),
        ({"held_back": 2_000_000}, "power or heat held the GPU back for 0.002 s"),
    ],
)
def test_each_disturbance_of_a_gpu_has_its_sentence(changes: dict[str, Any], told: str) -> None:
    assert gpu.judge(CARD, replace(CARD, **changes)) == [told]


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """An NVML that gives these answers; it supports nothing else."""
    answers: dict[str, Any] = {"Init": None, "DeviceGetHandleByUUID": "handle"}

    def say(name: str) -> Any:
        def answer(*given: Any) -> Any:
            if name not in answers:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
            return answers[name]

        return answer

    for name in [name for name in dir(pynvml) if name.startswith(("nvmlDeviceGet", "nvmlInit"))]:
        monkeypatch.setattr(pynvml, name, say(name.removeprefix("nvml")))
    yield answers


def test_what_nvml_says_is_read_and_what_it_does_not_support_is_none(nvml: dict[str, Any]) -> None:
    assert gpu.state("x") == GpuState(*[None] * 7)
    nvml["DeviceGetCurrentClocksEventReasons"] = 0x1 | 0x4 | 0x40
    nvml["DeviceGetViolationStatus"] = SimpleNamespace(violationTime=5)
    nvml["DeviceGetPowerUsage"] = 119_500
    nvml["DeviceGetTemperature"] = 41
    nvml["DeviceGetComputeRunningProcesses"] = [SimpleNamespace(pid=os.getpid()), SimpleNamespace(pid=1)]
    found = gpu.state("x")
    assert found.reasons == ("power limit", "hardware thermal slowdown")
    assert (found.held_back, found.watts, found.celsius, found.sm_mhz) == (10, 119.5, 41, None)
    assert found.processes == tuple(sorted((1, os.getpid())))


def test_who_is_on_the_gpu_is_unknown_where_our_own_process_is_not_listed(nvml: dict[str, Any]) -> None:
    nvml["DeviceGetComputeRunningProcesses"] = [SimpleNamespace(pid=1)]
    with watch("x") as seen:
        pass
    assert seen.facts["gpu"]["after"]["processes"] == "unknown"
    assert not any("GPU" in sentence for sentence in seen.sentences)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    """A results folder with one cell, already measured with one thread at batch sizes 1 and 3, and its record."""
    results = tmp_path_factory.mktemp("results")
    record = finished(results)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_RUNTIME", str(results / "runtime"))
        assert measure(results, record.id[:8]) == 0
    return results, record


def measure(results: Path, *more: str) -> int:
    few = ("--batch", "1,3", "--samples", "10", "--threads", "1", "--device", "cpu", "--wait", "5")
    return main(["measure", *few, *more, "--results", str(results)])


def both(results: Path, batch: int = 3) -> tuple[Measurement, Measurement]:
    """The measurements of the cell's and of the full-precision model at a batch size."""
    found = [m for m in measurement.scan(results) if isinstance(m, Measurement) and m.batch == batch]
    own, full = sorted(found, key=lambda m: m.bits["w"])
    return own, full


def test_measuring_leaves_a_measurement_of_the_cell_and_one_of_its_full_precision_model(
    measured: tuple[Path, Record],
) -> None:
    results, record = measured
    for batch in (1, 3):
        own, full = both(results, batch)
        assert (own.model, own.cells, own.bits) == (record.result["weights"], [record.id], {"w": 4, "a": 4})
        assert (full.model, full.cells, full.bits) == (record.spec["init"], ["f" * 64], {"w": 32, "a": 32})
        assert (own.kernel, full.kernel) == ("eager fake-quantized fp32", "eager fp32")
        assert own.beside == {"model": full.model, "kernel": full.kernel, "latency": full.latency}
        assert len(own.latency["samples"]) == len(full.latency["samples"]) == 10
        assert own.ratio == own.latency["p50"] / full.latency["p50"]
        assert (full.ratio, own.time, own.seen) == (None, full.time, full.seen)
        assert own.platform == f"cpu/torch-{torch.__version__.split('+')[0]}/1-threads"
        assert own.processor == own.environment["processor"]


def test_what_was_measured_is_shown_again_and_measured_only_on_request(
    measured: tuple[Path, Record], capsys: pytest.CaptureFixture[str]
) -> None:
    results, record = measured
    own, _ = both(results)
    assert measure(results) == 0
    shown = capsys.readouterr()
    assert both(results)[0] == own
    assert "measuring" not in shown.err
    assert f" {1000 * own.latency['p50']:.3f} " in shown.out
    assert "ran as fake-quantized fp32 kernels" in shown.out
    assert measure(results, "--again", "--batch", "3") == 0
    assert both(results)[0].latency != own.latency
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"measuring shapes10 {record.cell.label} ({record.id[:16]}) at batch size 3"


def test_another_batch_size_is_measured_beside_the_others(measured: tuple[Path, Record]) -> None:
    results, _ = measured
    before = both(results, 3)
    assert measure(results, "--batch", "2", "--samples", "1") == 0
    assert len(both(results, 2)[0].latency["samples"]) == 1
    assert both(results, 3) == before


def test_the_table_marks_what_was_disturbed(measured: tuple[Path, Record]) -> None:
    results, record = measured
    calm = replace(both(results)[0], disturbed=[])
    loud = replace(calm, batch=128, disturbed=["other processes used 1.00 of 2 cores"])
    lines = show([(record, calm), (record, loud)]).splitlines()
    assert [line.rstrip(" |").endswith("*") for line in lines if line.startswith("| shapes10")] == [False, True]
    (told,) = [line for line in lines if line.startswith("*")]
    assert told.endswith("batch 128, disturbed: other processes used 1.00 of 2 cores")


def test_a_measurement_that_was_touched_or_is_foreign_is_refused(measured: tuple[Path, Record], tmp_path: Path) -> None:
    results, _ = measured
    path = next((results / "measurements").glob("*.json"))
    plain = json.loads(path.read_text())
    copy = tmp_path / "measurements" / path.name
    copy.parent.mkdir()
    for change, told in (
        ({"time": "2020-01-01T00:00:00Z"}, "does not match its digest"),
        ({"disturbed": []} if plain["disturbed"] else {"disturbed": ["x"]}, "does not match its digest"),
        ({"kernel": "int8"}, "unknown kernel 'int8'"),
        ({"model": "short"}, "64 hex digits"),
        ({"disturbed": "none"}, "list of sentences"),
        ({"schema": 2}, "schema 2"),
        ({"colour": "red"}, "not a measurement"),
    ):
        copy.write_text(json.dumps(plain | change))
        with pytest.raises(RecordInvalid, match=told):
            measurement.read(copy)
        (found,) = measurement.scan(tmp_path)
        assert isinstance(found, RecordInvalid)
    copy.write_text(json.dumps(plain)[:-9])
    with pytest.raises(RecordInvalid, match="not readable as JSON"):
        measurement.read(copy)


def test_mistakes_get_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def line(*arguments: str) -> str:
        assert measure(tmp_path, *arguments) == 2
        (found,) = capsys.readouterr().err.splitlines()
        return found

    assert "no cell whose id was ever run" in line()
    record = finished(tmp_path)
    capsys.readouterr()
    assert "no cell whose id begins with 'zz' has a record" in line("zz")
    assert "no finished cell of a quantized model matches" in line("--bits", "W3A3")
    card = tmp_path / "teachers" / "shapes10-resnet20.json"
    card.rename(card.with_suffix(".away"))
    assert f"the full-precision model {record.spec['init'][:12]} is not in" in line(record.id)
    card.with_suffix(".away").rename(card)
    file = tmp_path / record.run["weights_file"]
    weights.write(file, pack(student("W4A4")))
    assert "the activation ranges are not those of the record" in line()
    file.unlink()
    assert f"({record.id[:16]}): its weights are not in" in line()
    assert not (tmp_path / "measurements").exists()


def test_a_gpu_that_is_not_there_is_the_persons_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "gpu_name", lambda: None)
    assert measure(tmp_path, "--device", "cuda") == 2
    assert capsys.readouterr().err == "error: there is no NVIDIA GPU here to measure on; give --device cpu\n"


def test_a_training_that_does_not_pause_stops_the_measurement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(tmp_path)
    with Training("cpu"):
        assert measure(tmp_path, "--wait", "0.3") == 2
    assert f"training process {os.getpid()} reached no step boundary" in capsys.readouterr().err
    assert not (tmp_path / "measurements").exists()


@pytest.mark.slow
def test_a_cell_of_a_sweep_is_measured_and_is_the_model_of_its_record(tmp_path: Path) -> None:
    place = make(tmp_path / "place")
    give_teacher(place)
    assert place.bench("run", str(place.suite), "--no-sync").returncode == 0
    (record,) = place.records()
    test = load_split("tiny", place.data, "test")
    found = stored(place.results, record)
    card = found.init.card
    mean, std = torch.tensor(card.mean), torch.tensor(card.std)
    images = Images(torch.from_numpy(test.images), torch.from_numpy(test.labels), mean, std)
    assert score(found.model, images).packed() == record.result["correct"]
    assert measure(place.results) == 0
    assert both(place.results)[0].cells == [record.id]

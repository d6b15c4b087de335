"""What a run leaves in its records beside accuracy: from real runs of cells that take milliseconds."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
import torch
from faults import Faults, prepare
from faulty import Network
from PIL import Image
from safetensors.torch import load_file
from workplace import CLASSES

from bench.data import describe, load_split
from bench.quant.unpack import unpack
from bench.records import Record

BITS = ("W3A3", "W4A4")
BATCH, STEPS = 4, 40


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """Two cells that ran as one group."""
    faults = prepare(tmp_path_factory.mktemp("records") / "calm", BITS, seeds=1)
    done = faults.run()
    assert done.returncode == 0, done.stderr
    return faults


@pytest.fixture
def records(calm: Faults) -> list[Record]:
    found = calm.place.records()
    assert {str(record.cell.bits) for record in found} == set(BITS)
    return found


def pictures(faults: Faults) -> dict[str, bytes]:
    """Every picture by its path below the results folder."""
    results = faults.place.results
    return {path.relative_to(results).as_posix(): path.read_bytes() for path in sorted(results.rglob("*.png"))}


def correct(record: Record) -> np.ndarray:
    """Which of the 100 test images are right."""
    packed = np.frombuffer(base64.b64decode(record.result["correct"]), np.uint8)
    return np.unpackbits(packed, count=100).astype(bool)


def answers(place_data: Path, model: torch.nn.Module) -> np.ndarray:
    """A model's answers to the test images."""
    facts, split = describe("tiny", place_data), load_split("tiny", place_data, "test")
    images = (torch.from_numpy(split.images).float() / 255 - torch.tensor(facts.mean)) / torch.tensor(facts.std)
    with torch.no_grad():
        return model(images.permute(0, 3, 1, 2)).argmax(1).numpy()


def test_right_answers_of_each_class_are_those_of_the_bits_of_correctness(calm: Faults, records: list[Record]) -> None:
    labels = load_split("tiny", calm.place.data, "test").labels
    for record in records:
        assert record.result["per_class"] == [int(correct(record)[labels == label].sum()) for label in range(CLASSES)]
        assert record.result["class_images"] == [25] * CLASSES


def test_agreement_is_with_the_answers_of_the_full_precision_model(calm: Faults, records: list[Record]) -> None:
    torch.manual_seed(0)
    full = answers(calm.place.data, Network(CLASSES).eval())
    for record in records:
        packed = load_file(calm.place.results / record.run["weights_file"])
        student = unpack(lambda: Network(CLASSES), packed, record.cell.bits, record.result["ranges"])
        assert record.result["agreement"] == np.mean(answers(calm.place.data, student) == full)


def test_an_epoch_of_training_has_a_gradient_norm_of_every_layer_and_one_without_updates_none(
    records: list[Record],
) -> None:
    for record in records:
        warmup, train = record.result["epochs"]
        assert "gradient_norms" not in warmup
        assert train["gradient_norms"].keys() == {"first", "second", "output"}
        assert min(train["gradient_norms"].values()) > 0


def test_steps_images_and_times_are_of_the_whole_cell(records: list[Record]) -> None:
    for record in records:
        run = record.run
        assert (run["steps"], run["images"]) == (STEPS, STEPS * BATCH) == (record.result["steps"], 160)
        assert run["seconds"].keys() == run["cpu_seconds"].keys() == {"draw", "learn", "evaluate", "other"}
        assert all(value > 0 for value in (run["cpu_seconds"]["learn"], run["seconds"]["learn"]))
        alone = (run["seconds"]["draw"] + run["seconds"]["learn"]) / STEPS
        assert run["step_seconds"]["mean"] == pytest.approx(alone, abs=0.002 / STEPS)
        assert run["energy_joules"] is None, "there is no counter for a CPU"


def test_what_a_group_shares_is_told_whole_in_each_of_its_records(records: list[Record]) -> None:
    one, other = (record.run for record in records)
    assert one["shared"] == other["shared"] == 2
    assert all(one["seconds"][part] == other["seconds"][part] for part in ("draw", "other"))
    assert one["seconds"]["learn"] != other["seconds"]["learn"]
    assert one["images"] == other["images"] == STEPS * BATCH


def test_peak_memory_is_told_by_phase(records: list[Record]) -> None:
    for record in records:
        peaks = record.run["peak_bytes"]
        assert peaks.keys() == {"rss", "train", "evaluate"}
        for phase in ("train", "evaluate"):
            assert peaks[phase].keys() == {"resident", "allocated", "reserved", "nvml_process", "nvml_device"}
            assert peaks[phase]["resident"] is None or 50_000_000 < peaks[phase]["resident"] <= peaks["rss"]
            assert peaks[phase]["allocated"] is None, "there is no GPU"


def test_every_cell_has_a_picture_of_each_epoch_and_keeps_the_last(calm: Faults, records: list[Record]) -> None:
    found = pictures(calm)
    assert len(found) == 6
    for record in records:
        kept = record.run["images_file"]
        stem = Path(record.run["weights_file"]).stem
        assert kept == f"images/tiny/faulty/{stem}.png"
        first, last = (found[f".work/{kept.removesuffix('.png')}/epoch-00{epoch}.png"] for epoch in (1, 2))
        assert found[kept] == last != first
        assert Image.open(calm.place.results / kept).size == (4 * 34 + 2, 34 + 2)


def test_cells_whose_group_died_end_with_the_same_results_counts_and_pictures(calm: Faults, tmp_path: Path) -> None:
    killed = prepare(tmp_path / "killed", BITS, seeds=1)
    killed.set(W3A3_s0="segfault")
    done = killed.run(BENCH_CHECKPOINT_SECONDS="0")
    assert done.returncode == 0, done.stderr
    assert killed.digests() == calm.digests()
    assert pictures(killed) == pictures(calm)
    for record in killed.place.records():
        assert record.run["resumed"] >= 1
        assert (record.run["steps"], record.run["images"]) == (STEPS, STEPS * BATCH)


def test_no_picture_is_made_of_training_images(tmp_path: Path) -> None:
    trained = prepare(tmp_path, BITS, seeds=1)
    arguments = ("pretrain", "--dataset", "tiny", "--model", "faultynet", "--schedule", "smoke", "--seed", "7")
    done = trained.place.bench(*arguments, **trained.environment)
    assert done.returncode == 0, done.stderr
    (record,) = trained.place.records()
    assert record.run["images_file"] is None
    assert record.result["agreement"] is None, "it starts from no other model"
    assert sum(record.result["per_class"]) == correct(record).sum()
    assert record.result["epochs"][-1]["gradient_norms"].keys() == {"first", "second", "output"}
    assert pictures(trained) == {}

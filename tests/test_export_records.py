"""Exported models of stored cells on all 10,000 test images of CIFAR-10."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench import records
from bench.data import data_root, load_split
from bench.export import session
from bench.export.agreement import Agreement, agreement
from bench.measure.stored import stored
from bench.runner.evaluate import TestImages as Images

RESULTS = Path(__file__).resolve().parents[1] / "results"
TOLERANCE = 0.001
"""Share of the test images: 0.1 points."""

CELLS = {
    "GDFQ W3A3": "481615e06e6cf68e",
    "GDFQ W4A4": "60fd54c772238590",
    "GDFQ W8A8": "8c49b91229d87ed4",
    "QKD W4A4": "8adb695d349141bb",
}


def compared(start: str) -> tuple[Agreement, session.Runtime, float]:
    """A cell's model beside its exported form on all test images, and its record's top-1."""
    record = next(record for record in records.load(RESULTS) if record.id.startswith(start))
    split, both = load_split("cifar10", data_root(None), "test"), stored(RESULTS, record)
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    test = Images(images, labels, torch.tensor(both.init.card.mean), torch.tensor(both.init.card.std))
    starts = range(0, len(labels), test.batch)
    batches = ((test.normalised(i, i + test.batch), labels[i : i + test.batch]) for i in starts)
    loaded = session.runtime(both, "integer", 1)
    return agreement(both.model, loaded.run, batches), loaded, record.result["top1"]["last"]


@pytest.mark.slow
@pytest.mark.skipif(
    not (data_root(None) / "cifar-10-batches-py").is_dir(), reason="needs the official CIFAR-10 files in $BENCH_DATA"
)
@pytest.mark.parametrize("name", CELLS)
def test_an_exported_model_is_as_accurate_as_the_fake_quantized_one(name: str) -> None:
    found, loaded, recorded = compared(CELLS[name])
    assert found.images == 10_000
    assert found.model == pytest.approx(recorded, abs=TOLERANCE)
    assert abs(found.exported - found.model) <= TOLERANCE
    assert found.differ <= 20
    assert loaded.kernel == "onnxruntime int8"
    assert loaded.integer >= loaded.convolutions - 1

"""A folder with a small data set, a teacher and a suite, and the command line run as a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import records
from bench.records import Record

ROOT = Path(__file__).resolve().parents[1]
CLASSES = 4


@dataclass(frozen=True)
class Workplace:
    """Folders of one test; commands run in the repository with one thread and no synchronisation."""

    data: Path
    results: Path
    suite: Path

    def command(self, *arguments: str) -> list[str]:
        places = ["--results", str(self.results)] if arguments[0] != "prepare" else []
        if arguments[0] not in ("table", "leaderboard", "sync"):
            places += ["--data-root", str(self.data)]
        if arguments[0] in ("run", "pretrain"):
            places += ["--threads", "1", "--device", "cpu"]
        return [sys.executable, "-m", "bench", *arguments, *places]

    def bench(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=_environment(environment),
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a verb in a process group of its own and return at once."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=ROOT,
            env=_environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def records(self) -> list[Record]:
        return records.load(self.results)

    def digests(self) -> dict[str, str]:
        """Result digest by cell id."""
        return {record.id: record.result["digest"] for record in self.records()}


def make(folder: Path, bits: str = '"W4A4"', method: str = "gdfq") -> Workplace:
    """A workplace with the data set `tiny` (four grey levels under noise) and a suite over it."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (split, count) in enumerate((("train", 256), ("test", 100))):
        save_split(folder / f"tiny_{split}.npz", count, seed)
    suite = folder / "tiny.toml"
    suite.write_text(f'name = "tiny"\n[axes]\ndataset = ["tiny"]\nmethod = ["{method}"]\nbits = [{bits}]\n')
    return Workplace(folder, folder / "results", suite)


def save_split(path: Path, count: int, seed: int) -> None:
    random = np.random.RandomState(seed)
    labels = np.arange(count) % CLASSES
    images = random.randint(0, 60, (count, 32, 32, 3)) + 50 * labels[:, None, None, None]
    np.savez(path, images=images.astype(np.uint8), labels=labels, class_names=np.array(list("abcd")))


def give_teacher(place: Workplace) -> None:
    """Publish an untrained but seeded ResNet-20 as the teacher of `tiny`, which costs no training."""
    import torch

    from bench.data import describe
    from bench.models import TeacherCard, build, publish
    from bench.models.weights import fingerprint

    torch.manual_seed(0)
    state = build("resnet20", CLASSES).state_dict()
    facts = describe("tiny", place.data)
    card = TeacherCard("tiny", "resnet20", CLASSES, fingerprint(state), facts.mean, facts.std, "measured", top1=0.25)
    publish(place.results, card, state)


def _environment(extra: dict[str, str]) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "BENCH_DATA": ""} | extra

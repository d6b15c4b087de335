"""Artifacts are made once, part by part, whole or not at all; who is killed continues to the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch
from torch import Tensor
from workplace import ROOT

from bench.artifacts import Artifacts
from bench.errors import ResultsUnwritable
from bench.runner.group import Group
from bench.runner.job import Job
from bench.signals import heeding
from bench.spec import FULL, Cell
from methods.hast import HAST
from methods.parts.synthesis import Recipe, hard_images

VALUES = {"seed": 0, "beta": 10.0}


class Counting:
    """Makes parts that hold their index, and notes which were asked for."""

    def __init__(self, delay: float = 0) -> None:
        self.asked: list[int] = []
        self.delay = delay

    def __call__(self, index: int) -> dict[str, Tensor]:
        self.asked.append(index)
        time.sleep(self.delay)
        return {"images": torch.full((2, 3), float(index)), "labels": torch.tensor([index, 7])}


def files(folder: Path) -> dict[str, bytes]:
    """Every part below a folder, by its file's name."""
    return {path.name: path.read_bytes() for path in folder.rglob("*.safetensors")}


def test_parts_are_made_once_and_come_back_equal(tmp_path: Path) -> None:
    making = Counting()
    first, second = (Artifacts(tmp_path, "cpu") for _ in range(2))
    found = [store.parts("images", VALUES, 3, making) for store in (first, second)]
    assert making.asked == [0, 1, 2]
    for parts in found:
        assert [int(part["labels"][0]) for part in parts] == [0, 1, 2]
        assert all(torch.equal(part["images"], torch.full((2, 3), float(i))) for i, part in enumerate(parts))
    assert first.used == second.used
    assert len(first.used["images"]) == 64


def test_what_is_used_is_told_by_its_content(tmp_path: Path) -> None:
    def other(index: int) -> dict[str, Tensor]:
        return {"images": torch.full((2, 3), float(index + (index == 2))), "labels": torch.tensor([index, 7])}

    plain, changed = Artifacts(tmp_path / "a", "cpu"), Artifacts(tmp_path / "b", "cpu")
    assert plain.used == {}
    plain.parts("images", VALUES, 3, Counting())
    changed.parts("images", VALUES, 3, other)
    assert plain.used != changed.used


def test_other_values_names_counts_and_platforms_are_other_artifacts(tmp_path: Path) -> None:
    making = Counting()
    for platform, name, values, count in (
        ("cpu", "images", VALUES, 2),
        ("gpu", "images", VALUES, 2),
        ("cpu", "maps", VALUES, 2),
        ("cpu", "images", VALUES | {"seed": 1}, 2),
        ("cpu", "images", VALUES, 3),
    ):
        Artifacts(tmp_path, platform).parts(name, values, count, making)
    assert making.asked == [0, 1] * 4 + [0, 1, 2]
    assert len(list(tmp_path.iterdir())) == 5


def test_only_missing_parts_are_made(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def until_two(index: int) -> dict[str, Tensor]:
        if index == 2:
            raise Stopped
        return Counting()(index)

    with pytest.raises(Stopped):
        Artifacts(tmp_path, "cpu").parts("images", VALUES, 4, until_two)
    assert len(files(tmp_path)) == 2
    making = Counting()
    store = Artifacts(tmp_path, "cpu")
    assert [int(part["labels"][0]) for part in store.parts("images", VALUES, 4, making)] == [0, 1, 2, 3]
    assert making.asked == [2, 3]


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: data[:-1] + b"\x01"])
def test_damaged_parts_are_made_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    store = Artifacts(tmp_path, "cpu")
    store.parts("images", VALUES, 3, Counting())
    whole = files(tmp_path)
    path = sorted(tmp_path.rglob("*.safetensors"))[1]
    path.write_bytes(damage(path.read_bytes()))
    making = Counting()
    store.parts("images", VALUES, 3, making)
    assert making.asked == [1]
    assert files(tmp_path) == whole


def test_of_two_that_ask_at_once_one_makes_and_the_other_waits(tmp_path: Path) -> None:
    making, said = Counting(delay=0.2), []
    stores = [Artifacts(tmp_path, "cpu", said.append) for _ in range(2)]
    threads = [threading.Thread(target=s.parts, args=("images", VALUES, 3, making)) for s in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(making.asked) == [0, 1, 2]
    assert stores[0].used == stores[1].used != {}
    assert sum("waits, as" in line and "is held by process" in line for line in said) == 1
    assert [line for line in said if "makes" in line] == [f"makes images, part {i} of 3" for i in (1, 2, 3)]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsUnwritable):
        Artifacts(tmp_path / "file", "cpu").parts("images", VALUES, 1, Counting())


def make_images(folder: Path) -> None:
    """What the killed process does: a few parts of HAST's images."""
    given = tiny.setup(HAST(), artifacts=Artifacts(folder, "cpu", lambda line: print(line, flush=True)))
    hard_images(given, Recipe(10.0, 2.0, iterations=3, parts=6, batch=8))


COMMAND = "import pathlib, sys, test_artifacts; test_artifacts.make_images(pathlib.Path(sys.argv[1]))"


def start(folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", COMMAND, str(folder)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)


def test_a_killed_process_is_continued_to_the_same_bytes(tmp_path: Path) -> None:
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    process = start(killed)
    assert process.stdout is not None
    for line in process.stdout:
        if "part 3 of 6" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    left = {path: path.stat().st_mtime_ns for path in killed.rglob("*.safetensors")}
    assert 2 <= len(left) < 6
    assert list(killed.rglob("lock"))  # its owner is gone, so nobody waits for it
    again = start(killed)
    said, _ = again.communicate(timeout=300)
    assert again.returncode == 0
    assert said.splitlines() == [f"makes images, part {i + 1} of 6" for i in range(len(left), 6)]
    assert start(calm).wait(timeout=300) == 0
    assert len(files(killed)) == 6
    assert files(killed) == files(calm)
    assert all(path.stat().st_mtime_ns == when for path, when in left.items())


# in the runner


def group(folder: Path) -> Group:
    """A group of one cell on stand-in images, not built."""
    cell = Cell("shapes10", "resnet20", "pretrain", FULL, "smoke")
    job = Job((cell,), ("0" * 64,), "suite", "sweep", "command", folder / "results", folder, "cpu", 1, {})
    return Group(job)


def test_an_interrupt_before_the_first_step_stops_at_once_and_later_ones_at_a_step(tmp_path: Path) -> None:
    started = group(tmp_path)
    with heeding(started._ask):
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        started.looping = True
        os.kill(os.getpid(), signal.SIGTERM)
        assert started.stopping
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_group_keeps_artifacts_beside_its_checkpoints_and_tells_progress(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = group(tmp_path)
    assert started._made_from() == {}
    started.artifacts.parts("images", VALUES, 1, Counting())
    assert "pretrain seed 0: makes images, part 1 of 1" in capsys.readouterr().err
    assert started._made_from() == {"artifacts": started.artifacts.used}
    assert list((tmp_path / "results" / ".work" / "artifacts").glob("*/0000-*.safetensors"))

"""The rule of data access: methods that declare no data see no training image, however they try."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from datafixtures import COUNTS, SmallCifar, small_cifar, write_pair

from bench.data import load_split, shapes, training_files
from bench.data.guard import Guard
from bench.errors import BenchError, DataAccessDenied

__all__ = ["small_cifar"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_pair(tmp_path, "flowers")
    return tmp_path


def guard(root: Path) -> Guard:
    return Guard("cheat", training_files("flowers", root))


def by_hard_link(file: Path) -> None:
    os.link(file, file.with_name("innocent"))
    file.with_name("innocent").read_bytes()


def by_symbolic_link(file: Path) -> None:
    file.with_name("innocent").symlink_to(file)
    file.with_name("innocent").read_bytes()


def by_renaming(file: Path) -> None:
    file.rename(file.with_name("innocent")).read_bytes()


def by_relative_path(file: Path) -> None:
    Path(os.path.relpath(file)).read_bytes()


CHEATS: dict[str, Callable[[Path], object]] = {
    "open": lambda file: open(file, "rb").close(),
    "open as bytes": lambda file: open(os.fsencode(file), "rb").close(),
    "descriptor": lambda file: os.close(os.open(file, os.O_RDONLY)),
    "pathlib": lambda file: file.read_bytes(),
    "numpy": np.load,
    "mapped": lambda file: np.memmap(file, mode="r"),
    "from file": lambda file: np.fromfile(file, np.uint8),
    "copy": lambda file: shutil.copy(file, file.with_name("copy")),
    "harness": lambda file: load_split("flowers", file.parent, "train"),
    "hard link": by_hard_link,
    "symbolic link": by_symbolic_link,
    "renamed": by_renaming,
    "relative": by_relative_path,
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_opening_a_training_file_is_denied_naming_file_method_and_card(root: Path, cheat: str) -> None:
    file = root / "flowers_train.npz"
    with pytest.raises(DataAccessDenied) as caught, guard(root):
        CHEATS[cheat](file)
    message = str(caught.value)
    assert str(file.resolve()) in message and "method 'cheat'" in message and "data='none'" in message


def test_the_harness_reports_a_denial_as_such_and_not_as_corrupt_data(root: Path) -> None:
    raised = []
    with pytest.raises(DataAccessDenied), guard(root):
        try:
            load_split("flowers", root, "train")
        except BenchError as error:
            raised.append(type(error))
    assert raised == [DataAccessDenied]


def test_a_swallowed_denial_is_raised_again_at_the_end(root: Path) -> None:
    watched, reached = guard(root), False
    with pytest.raises(DataAccessDenied, match="flowers_train.npz"), watched:
        try:
            (root / "flowers_train.npz").read_bytes()
        except Exception:
            reached = True
        assert reached
    with pytest.raises(DataAccessDenied, match="flowers_train.npz"):
        watched.check()


def test_a_denial_disguised_as_another_error_is_raised_again(root: Path) -> None:
    with pytest.raises(DataAccessDenied), guard(root):
        try:
            np.load(root / "flowers_train.npz")
        except BenchError:
            raise ValueError("no such luck") from None


def test_an_interrupted_run_stays_interrupted(root: Path) -> None:
    with pytest.raises(KeyboardInterrupt), guard(root):
        try:
            np.load(root / "flowers_train.npz")
        except BenchError:
            raise KeyboardInterrupt from None


def test_other_threads_are_watched(root: Path) -> None:
    def cheat() -> None:
        try:
            (root / "flowers_train.npz").read_bytes()
        except DataAccessDenied:
            return

    with pytest.raises(DataAccessDenied), guard(root):
        thread = threading.Thread(target=cheat)
        thread.start()
        thread.join()


def test_every_official_training_file_is_watched(small_cifar: SmallCifar) -> None:
    for number in range(1, 6):
        watched = Guard("cheat", training_files("cifar10", small_cifar.root))
        with pytest.raises(DataAccessDenied, match=f"data_batch_{number}"), watched:
            (small_cifar.folder / f"data_batch_{number}").read_bytes()


def test_drawing_the_training_split_of_shapes_is_denied() -> None:
    with pytest.raises(DataAccessDenied, match="training split of shapes10"), Guard("cheat", []):
        shapes.make("shapes10", "train")


def test_test_images_and_other_files_stay_open_to_the_harness(root: Path) -> None:
    with guard(root) as watched:
        assert len(load_split("flowers", root, "test")) == COUNTS["test"]
        assert len(shapes.make("shapes10", "test")[1]) == 2_000
        (root / "notes").write_text("mine")
        with pytest.raises(FileNotFoundError):
            (root / "nothing").read_bytes()
    watched.check()


def test_training_files_open_before_and_after(root: Path) -> None:
    load_split("flowers", root, "train")
    with guard(root):
        pass
    assert len(load_split("flowers", root, "train")) == COUNTS["train"]


def test_an_inner_guard_gives_way_to_the_outer_one(root: Path) -> None:
    with pytest.raises(DataAccessDenied, match="'cheat'"), guard(root):
        with Guard("inner", []):
            pass
        (root / "flowers_train.npz").read_bytes()

"""Preparing data: the one step that downloads, whole or not at all, and that verifies everything."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from datafixtures import SmallCifar, arrays, opened, small_cifar, write_npz, write_pair

from bench.data import describe, load_split
from bench.data import stamp as stamps
from bench.data.known import KNOWN
from bench.data.prepare import prepare
from bench.errors import DataCorrupt, DataMissing, UnknownName

__all__ = ["small_cifar"]


class FakeTorchvision:
    """Stands for the internet: "downloads" the files of a folder, or breaks off after the first."""

    def __init__(self, source: Path, error: Exception | None = None) -> None:
        self.source, self.error, self.calls = source, error, 0
        self.datasets = SimpleNamespace(CIFAR10=self._download, CIFAR100=self._download)

    def _download(self, root: str, download: bool) -> None:
        self.calls += 1
        target = Path(root, self.source.name)
        target.mkdir()
        for file in sorted(self.source.iterdir()):
            shutil.copy(file, target)
            if self.error:
                raise self.error


def online(patch: pytest.MonkeyPatch, source: Path, error: Exception | None = None) -> FakeTorchvision:
    fake = FakeTorchvision(source, error)
    patch.setitem(sys.modules, "torchvision", fake)  # type: ignore[arg-type]
    return fake


def test_an_absent_cifar_is_downloaded_verified_and_stamped(
    small_cifar: SmallCifar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, fake = tmp_path / "new" / "root", online(monkeypatch, small_cifar.folder)
    assert prepare("cifar10", root) == small_cifar.facts
    assert sorted(path.name for path in root.iterdir()) == [".cifar10.stamp.json", small_cifar.folder.name]
    assert describe("cifar10", root) == small_cifar.facts
    assert prepare("cifar10", root) == small_cifar.facts and fake.calls == 1


@pytest.mark.parametrize("error", [OSError("no route to host"), RuntimeError("File not found or corrupted.")])
def test_a_download_that_breaks_off_leaves_nothing_half_done(
    small_cifar: SmallCifar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    online(monkeypatch, small_cifar.folder, error)
    with pytest.raises(DataMissing, match=f"cifar10 could not be downloaded.*{error}"):
        prepare("cifar10", tmp_path / "root")
    assert list((tmp_path / "root").iterdir()) == []


def test_a_root_that_cannot_be_made_is_named(
    small_cifar: SmallCifar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    online(monkeypatch, small_cifar.folder)
    (tmp_path / "file").touch()
    with pytest.raises(DataMissing, match="could not be downloaded into .*file/root"):
        prepare("cifar10", tmp_path / "file" / "root")


def test_an_archive_in_the_root_is_unpacked_by_torchvision_itself(
    small_cifar: SmallCifar, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = small_cifar.archived(monkeypatch)
    assert prepare("cifar10", small_cifar.root) == small_cifar.facts
    assert len(load_split("cifar10", small_cifar.root, "train")) == small_cifar.facts.sizes["train"]
    names = {path.name for path in small_cifar.root.iterdir()}
    assert names == {archive.name, small_cifar.folder.name, ".cifar10.stamp.json"}


def test_nothing_is_downloaded_unless_allowed(
    small_cifar: SmallCifar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = online(monkeypatch, small_cifar.folder)
    with pytest.raises(DataMissing, match="--data-root"):
        prepare("cifar10", tmp_path / "root", download=False)
    for act in (describe, lambda name, root: load_split(name, root, "test")):
        with pytest.raises(DataMissing):
            act("cifar10", tmp_path / "root")
    assert fake.calls == 0 and not (tmp_path / "root").exists()


def test_what_cannot_be_downloaded_is_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = online(monkeypatch, tmp_path)
    with pytest.raises(UnknownName, match="did you mean"):
        prepare("cifar", tmp_path)
    train, _ = write_pair(tmp_path, "flowers")
    train.unlink()
    with pytest.raises(DataMissing, match="flowers_train.npz is missing"):
        prepare("flowers", tmp_path)
    assert fake.calls == 0


def test_every_file_is_read_whatever_the_stamp_says(small_cifar: SmallCifar) -> None:
    prepare("cifar10", small_cifar.root)
    with opened() as files:
        prepare("cifar10", small_cifar.root)
    assert {path.name for path in map(Path, files)} >= {f"data_batch_{k}" for k in range(1, 6)} | {"test_batch"}


def test_own_data_is_verified_and_stamped(tmp_path: Path) -> None:
    write_pair(tmp_path, "flowers")
    facts = prepare("flowers", tmp_path)
    assert facts.classes == 3 and stamps.path("flowers", tmp_path).is_file()


def test_data_altered_since_the_stamp_is_refused_and_the_file_kept(small_cifar: SmallCifar) -> None:
    prepare("cifar10", small_cifar.root)
    file = small_cifar.folder / "test_batch"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataCorrupt, match="test_batch is not the official file.*prepare --dataset cifar10"):
        prepare("cifar10", small_cifar.root)
    assert file.is_file()


def test_a_mislabelled_npz_is_refused_instead_of_downloading_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = online(monkeypatch, tmp_path)
    for split in ("train", "test"):
        write_npz(tmp_path, "cifar100", split, arrays(split))
    with pytest.raises(DataCorrupt, match="cifar100_train.npz is not the train split"):
        prepare("cifar100", tmp_path)
    assert fake.calls == 0


def test_shapes_are_drawn_and_checked_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert prepare("shapes10", tmp_path / "none") == KNOWN["shapes10"]
    assert not (tmp_path / "none").exists()
    other = {**KNOWN["shapes10"].splits, "test": "0" * 64}
    monkeypatch.setitem(KNOWN, "shapes10", replace(KNOWN["shapes10"], splits=other))
    with pytest.raises(DataCorrupt, match="numpy .* draws other images for shapes10"):
        prepare("shapes10", tmp_path)

"""Data sets: found in order, held to their fingerprints, described without reading images."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from datafixtures import COUNTS, SmallCifar, arrays, facts_equal, opened, small_cifar, write_npz, write_pair

from bench.data import data_root, describe, load_split, npz, training_files
from bench.data import stamp as stamps
from bench.data.dataset import canonical, statistics
from bench.data.known import KNOWN
from bench.data.store import verify
from bench.errors import DataCorrupt, DataMissing, UnknownName

__all__ = ["small_cifar"]

REAL = data_root(None)
real_cifar10 = pytest.mark.skipif(
    not (REAL / "cifar-10-batches-py").is_dir(), reason="needs the official CIFAR-10 files in $BENCH_DATA"
)
real_cifar100 = pytest.mark.skipif(
    not all(npz.path("cifar100", REAL, split).is_file() for split in COUNTS),
    reason="needs CIFAR-100 npz in $BENCH_DATA",
)


def touch(file: Path) -> None:
    """Move a file's time of change by a second."""
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))


def alter(file: Path, at: int = -5000) -> None:
    """Change one byte, keeping size and time of change."""
    stat, data = file.stat(), bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


# where data is looked for


def test_data_root_is_the_given_folder_else_bench_data_else_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", "/somewhere")
    assert data_root("/given") == Path("/given")
    assert data_root(None) == Path("/somewhere")
    monkeypatch.setenv("BENCH_DATA", "")
    assert data_root(None) == Path("data")


def test_planning_imports_neither_torch_nor_torchvision() -> None:
    code = (
        "import sys, bench.data, bench.data.guard, bench.data.prepare; print({'torch', 'torchvision'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_torchvision_files_come_before_npz_and_npz_before_procedural_images(small_cifar: SmallCifar) -> None:
    write_npz(small_cifar.root, "cifar10", "test", arrays("test", seed=5), classes=10)
    assert load_split("cifar10", small_cifar.root, "test").fingerprint == small_cifar.facts.splits["test"]
    write_npz(small_cifar.root, "shapes10", "test", arrays("test"))
    with pytest.raises(DataCorrupt, match="shapes10_test.npz is not the test split of shapes10"):
        load_split("shapes10", small_cifar.root, "test")


def test_unknown_names_get_a_suggestion_and_the_place_for_own_data(tmp_path: Path) -> None:
    write_pair(tmp_path, "flowers")
    with pytest.raises(UnknownName, match="did you mean cifar10 or cifar100"):
        describe("cifar1O", tmp_path)
    with pytest.raises(UnknownName, match=r"did you mean flowers\?.*flower_train.npz"):
        load_split("flower", tmp_path, "test")


@pytest.mark.parametrize("name", ["../flowers", "sub/../../flowers", "{outside}/flowers"])
def test_names_do_not_lead_out_of_the_data_root(tmp_path: Path, name: str) -> None:
    write_pair(tmp_path, "flowers")
    (tmp_path / "data" / "sub").mkdir(parents=True)
    with pytest.raises(UnknownName):
        describe(name.format(outside=tmp_path), tmp_path / "data")


def test_absent_cifar_names_every_way_to_supply_it_in_two_lines(tmp_path: Path) -> None:
    with pytest.raises(DataMissing) as caught:
        describe("cifar100", tmp_path)
    message = str(caught.value)
    assert len(message.splitlines()) == 2
    ways = ["prepare --dataset cifar100", "cifar-100-python/", "cifar100_test.npz", "--data-root", "BENCH_DATA"]
    assert all(way in message for way in ways)


def test_half_a_data_set_names_the_missing_file(tmp_path: Path) -> None:
    train, _ = write_pair(tmp_path, "flowers")
    train.unlink()
    assert len(load_split("flowers", tmp_path, "test")) == COUNTS["test"]
    with pytest.raises(DataMissing, match="flowers_train.npz is missing"):
        describe("flowers", tmp_path)


# what is found


def test_own_data_is_described_from_its_files(tmp_path: Path) -> None:
    write_pair(tmp_path, "flowers")
    facts = describe("flowers", tmp_path)
    pixels = arrays("train")[0].reshape(-1, 3) / 255
    assert (facts.name, facts.classes, facts.sizes, facts.stand_in) == ("flowers", 3, COUNTS, False)
    assert np.allclose(facts.mean, pixels.mean(0), atol=1e-8) and np.allclose(facts.std, pixels.std(0), atol=1e-8)


def test_a_channel_of_one_value_can_still_be_normalised() -> None:
    images = arrays("train")[0]
    images[..., 2] = 51
    mean, std = statistics(images)
    assert (mean[2], std[2]) == (0.2, 1.0)


def test_images_come_in_canonical_order_whatever_the_order_on_disk(tmp_path: Path) -> None:
    images, labels = arrays("test")
    write_npz(tmp_path, "one", "test", (images, labels))
    order = np.random.RandomState(1).permutation(len(labels))
    np.savez_compressed(
        tmp_path / "two_test.npz",
        images=images[order],
        labels=labels[order].astype(np.uint8),
        class_names=["a", "b", "c"],
    )
    one, two = load_split("one", tmp_path, "test"), load_split("two", tmp_path, "test")
    assert one.fingerprint == two.fingerprint
    assert np.array_equal(one.images, two.images) and np.array_equal(one.labels, two.labels)
    assert one.labels.dtype == two.labels.dtype == np.int64
    first = next(k for k in range(len(labels)) if np.array_equal(images[k], one.images[0]))
    assert labels[first] == one.labels[0]


def test_fingerprints_change_with_any_pixel_or_label() -> None:
    images, labels = arrays("test")
    pixel, label = images.copy(), labels.copy()
    pixel[3, 4, 5, 1] ^= 1
    label[3] = (label[3] + 1) % 3
    assert len({canonical(*pair).fingerprint for pair in [(images, labels), (pixel, labels), (images, label)]}) == 3


def test_cifar_is_the_same_from_torchvision_files_and_from_npz(small_cifar: SmallCifar, tmp_path: Path) -> None:
    for split, data in small_cifar.arrays.items():
        write_npz(tmp_path, "cifar10", split, data, classes=10)
        official, own = load_split("cifar10", small_cifar.root, split), load_split("cifar10", tmp_path, split)
        assert np.array_equal(official.images, own.images) and np.array_equal(official.labels, own.labels)
    assert describe("cifar10", small_cifar.root) == describe("cifar10", tmp_path) == small_cifar.facts


# access


def test_loading_one_split_opens_no_file_of_the_other(small_cifar: SmallCifar, tmp_path: Path) -> None:
    _, test = write_pair(tmp_path, "flowers")
    describe("flowers", tmp_path)
    with opened() as files:
        load_split("flowers", tmp_path, "test")
        load_split("cifar10", small_cifar.root, "test")
    assert str(test.resolve()) in files
    everything = training_files("flowers", tmp_path) + training_files("cifar10", small_cifar.root)
    assert len(everything) == 6 and not {str(file) for file in everything} & {*files}


def test_training_files_are_those_of_every_form_and_the_archive(small_cifar: SmallCifar, tmp_path: Path) -> None:
    extra = write_npz(small_cifar.root, "cifar10", "train", arrays("train"))
    (small_cifar.root / "cifar-10-python.tar.gz").touch()
    link = tmp_path / "link"
    link.symlink_to(small_cifar.root)
    found = training_files("cifar10", link)
    batches = {small_cifar.folder / f"data_batch_{k}" for k in range(1, 6)}
    assert {*found} == {extra, small_cifar.root / "cifar-10-python.tar.gz"} | batches
    assert training_files("shapes10", tmp_path) == []


# stamps


def test_an_unchanged_data_set_is_described_without_opening_an_image_file(tmp_path: Path) -> None:
    write_pair(tmp_path, "flowers")
    first = describe("flowers", tmp_path)
    with opened() as files:
        assert describe("flowers", tmp_path) == first
    assert [file for file in files if file.startswith(str(tmp_path.resolve()))] == [
        str(stamps.path("flowers", tmp_path).resolve())
    ]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    train, _ = write_pair(tmp_path, "flowers")
    first = describe("flowers", tmp_path)
    size = train.stat().st_size
    write_npz(tmp_path, "flowers", "train", arrays("train", seed=7))
    touch(train)
    assert train.stat().st_size == size
    second = describe("flowers", tmp_path)
    assert second.fingerprint != first.fingerprint and second.mean != first.mean
    assert describe("flowers", tmp_path) == second


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"form": 1, "files": [], "dataset": {}}', "\xff\x00"])
def test_an_unusable_stamp_is_replaced(tmp_path: Path, text: str) -> None:
    write_pair(tmp_path, "flowers")
    first, path = describe("flowers", tmp_path), stamps.path("flowers", tmp_path)
    good = path.read_bytes()
    path.write_bytes(text.encode("latin1"))
    assert describe("flowers", tmp_path) == first
    assert path.read_bytes() == good


def test_a_stamp_of_another_form_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_pair(tmp_path, "flowers")
    describe("flowers", tmp_path)
    assert stamps.read("flowers", tmp_path, files)
    monkeypatch.setattr(stamps, "FORM", stamps.FORM + 1)
    assert stamps.read("flowers", tmp_path, files) is None


def test_a_stamp_of_npz_files_does_not_hold_for_torchvision_files(small_cifar: SmallCifar, tmp_path: Path) -> None:
    for split, data in small_cifar.arrays.items():
        write_npz(tmp_path, "cifar10", split, data, classes=10)
    describe("cifar10", tmp_path)
    small_cifar.folder.rename(tmp_path / small_cifar.folder.name)
    alter(tmp_path / small_cifar.folder.name / "data_batch_2", at=-500)
    with pytest.raises(DataCorrupt, match="data_batch_2"):
        describe("cifar10", tmp_path)


def test_a_root_that_cannot_be_written_to_serves_all_the_same(tmp_path: Path) -> None:
    write_pair(tmp_path, "flowers")
    blocked = stamps.path("flowers", tmp_path)
    (blocked / "in the way").mkdir(parents=True)  # stops root as well, whom permissions do not
    assert facts_equal(describe("flowers", tmp_path), describe("flowers", tmp_path))
    assert len(load_split("flowers", tmp_path, "train")) == COUNTS["train"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [blocked.name, "flowers_test.npz", "flowers_train.npz"]


def test_images_that_changed_behind_their_stamp_are_not_loaded(tmp_path: Path) -> None:
    _, test = write_pair(tmp_path, "flowers")
    describe("flowers", tmp_path)
    stat = test.stat()
    write_npz(tmp_path, "flowers", "test", arrays("test", seed=7))
    os.utime(test, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(DataCorrupt, match="flowers_test.npz changed unseen.*prepare --dataset flowers"):
        load_split("flowers", tmp_path, "test")
    verify("flowers", tmp_path)
    assert len(load_split("flowers", tmp_path, "test")) == COUNTS["test"]


# files that are wrong


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_npz_is_refused_by_name(tmp_path: Path, share: float, compressed: bool) -> None:
    images, labels = arrays("train")
    file = npz.path("flowers", tmp_path, "train")
    (np.savez_compressed if compressed else np.savez)(file, images=images, labels=labels, class_names=["a", "b", "c"])
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(DataCorrupt, match="flowers_train.npz cannot be read.*np.savez"):
        load_split("flowers", tmp_path, "train")


def test_an_altered_npz_is_refused_by_its_checksum_or_read_as_it_was(tmp_path: Path) -> None:
    file = npz.path("flowers", tmp_path, "test")
    data = arrays("test")
    np.savez_compressed(file, images=data[0], labels=data[1], class_names=["a", "b", "c"])
    whole, good, refused = file.read_bytes(), canonical(*data).fingerprint, 0
    for at in range(0, len(whole), len(whole) // 150):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            assert load_split("flowers", tmp_path, "test").fingerprint == good
        except DataCorrupt:
            refused += 1
    assert refused > 100


IMAGES, LABELS = arrays("train")
NAMES = np.array(["a", "b", "c"])
WRONG = {
    "images must be uint8": {"images": IMAGES / 255},
    "images must be uint8 ": {"images": IMAGES[..., :1]},
    "do not go with labels": {"images": IMAGES[:-1]},
    "no images": {"images": IMAGES[:0], "labels": LABELS[:0]},
    "labels must be integers": {"labels": LABELS.astype(float)},
    "labels span 0..3": {"labels": LABELS + (LABELS == 2)},
    "labels span -1..1": {"labels": LABELS - 1},
    "class_names must be": {"class_names": np.array("a")},
    "cannot be read": {"labels": LABELS.astype(object)},
}


@pytest.mark.parametrize("problem", WRONG)
def test_an_npz_of_other_arrays_is_refused_with_what_is_wrong(tmp_path: Path, problem: str) -> None:
    np.savez(
        tmp_path / "flowers_train.npz", **{"images": IMAGES, "labels": LABELS, "class_names": NAMES, **WRONG[problem]}
    )
    with pytest.raises(DataCorrupt, match=rf"flowers_train.npz.*{problem.strip()}.*np.savez"):
        load_split("flowers", tmp_path, "train")


@pytest.mark.parametrize("missing", ["images", "labels", "class_names"])
def test_an_npz_that_lacks_an_array_is_refused(tmp_path: Path, missing: str) -> None:
    some = {"images": IMAGES, "labels": LABELS, "class_names": NAMES}
    del some[missing]
    np.savez(tmp_path / "flowers_train.npz", **some)
    with pytest.raises(DataCorrupt, match=f"flowers_train.npz.*{missing}"):
        load_split("flowers", tmp_path, "train")


def test_splits_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "flowers")
    write_npz(tmp_path, "flowers", "test", arrays("test"), classes=4)
    with pytest.raises(DataCorrupt, match="flowers_test.npz: class_names differ"):
        describe("flowers", tmp_path)
    images, labels = arrays("test")
    write_npz(tmp_path, "flowers", "test", (images[:, ::2, ::2], labels))
    with pytest.raises(DataCorrupt, match=r"flowers_test.npz: images are \(16, 16, 3\) but \(32, 32, 3\)"):
        describe("flowers", tmp_path)
    assert not stamps.path("flowers", tmp_path).exists()


def test_another_data_set_named_cifar_is_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "cifar10")
    for act in (lambda: describe("cifar10", tmp_path), lambda: load_split("cifar10", tmp_path, "train")):
        with pytest.raises(DataCorrupt, match="cifar10_train.npz is not the train split of cifar10.*rename it"):
            act()
    assert not stamps.path("cifar10", tmp_path).exists()


def test_an_altered_torchvision_file_is_refused_by_name(small_cifar: SmallCifar) -> None:
    alter(small_cifar.folder / "data_batch_4", at=-500)
    for act in (
        lambda: describe("cifar10", small_cifar.root),
        lambda: load_split("cifar10", small_cifar.root, "train"),
    ):
        with pytest.raises(DataCorrupt, match="data_batch_4 is not the official file.*delete .*cifar-10-batches-py"):
            act()


def test_a_torchvision_folder_without_one_of_its_files_is_refused(small_cifar: SmallCifar) -> None:
    (small_cifar.folder / "data_batch_3").unlink()
    with pytest.raises(DataCorrupt, match="data_batch_3 is missing; delete .*prepare --dataset cifar10"):
        load_split("cifar10", small_cifar.root, "train")
    assert len(load_split("cifar10", small_cifar.root, "test")) == COUNTS["test"]


# the real thing


@real_cifar10
def test_official_cifar10_has_the_known_fingerprint_as_files_and_as_npz(tmp_path: Path) -> None:
    test = load_split("cifar10", REAL, "test")
    assert (len(test), test.fingerprint) == (10_000, KNOWN["cifar10"].splits["test"])
    back = np.random.RandomState(0).permutation(len(test))
    file = write_npz(tmp_path, "cifar10", "test", (test.images[back], test.labels[back]), classes=10)
    own = load_split("cifar10", tmp_path, "test")
    assert own.fingerprint == test.fingerprint and np.array_equal(own.images, test.images)
    test.images[77, 3, 3, 0] ^= 1
    write_npz(tmp_path, "cifar10", "test", (test.images, test.labels), classes=10)
    with pytest.raises(DataCorrupt, match=str(file)):
        load_split("cifar10", tmp_path, "test")


@real_cifar10
def test_official_cifar10_training_images_have_the_known_fingerprint() -> None:
    train = load_split("cifar10", REAL, "train")
    assert (len(train), train.fingerprint) == (50_000, KNOWN["cifar10"].splits["train"])
    assert np.allclose(statistics(train.images)[0], KNOWN["cifar10"].mean, atol=1e-6)


@real_cifar100
def test_official_cifar100_has_the_known_fingerprint() -> None:
    sizes = {split: len(load_split("cifar100", REAL, split)) for split in COUNTS}
    assert sizes == KNOWN["cifar100"].sizes
    assert describe("cifar100", REAL) == KNOWN["cifar100"]

"""Methods, networks and data sets of other packages: installed by pip, they are used like the project's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import wheel
from doccode import clone, commands, files, run

from bench.data import describe, load_split, plugin, store, training_files
from bench.data.guard import Guard
from bench.data.plugin import DatasetPluginInvalid
from bench.errors import DataAccessDenied, DataCorrupt, DataMissing, UnknownName

METHOD, THINGS = "adding-a-method.md", "adding-a-network-or-data-set.md"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has put the packages of both pages."""
    folder = tmp_path_factory.mktemp("installed")
    for page in (METHOD, THINGS):
        wheel.install(wheel.build(files(page), tmp_path_factory.mktemp("wheels")), folder)
    return folder


@pytest.fixture
def stripes(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data root with the page's data set, in this process."""
    monkeypatch.syspath_prepend(str(installed))
    plugin.reader.cache_clear()
    import small_things

    small_things.write(tmp_path)
    yield tmp_path
    plugin.reader.cache_clear()


def offer(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str, package: str = "offered") -> None:
    """Put a package with one data set on the path, as pip would."""
    module = f"{package}_{abs(hash((str(folder), source)))}"
    info = folder / f"{module}-1.dist-info"
    info.mkdir(parents=True)
    (folder / f"{module}.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{plugin.GROUP}]\n{name} = {module}:Mine\n")
    monkeypatch.syspath_prepend(str(folder))
    plugin.reader.cache_clear()


READER = """
import numpy as np
from bench.data.dataset import Reader

class Mine(Reader):
    class_names = ("a", "b")
    def files(self, root, split):
        return {files}
    def read(self, files, split):
        return {arrays}
"""
IMAGES = "np.zeros((4, 32, 32, 3), np.uint8), np.arange(4) % 2"


def reader(files: str = '[root / f"mine.{split}"]', arrays: str = IMAGES) -> str:
    return READER.replace("{files}", files).replace("{arrays}", arrays)


def test_installed_names_are_listed_beside_the_projects_own(installed: Path, tmp_path: Path) -> None:
    place = clone(tmp_path)
    for kind, name, own in (
        ("methods", "faint", "gdfq"),
        ("models", "plainnet", "resnet20"),
        ("datasets", "stripes", "cifar10"),
    ):
        assert {name, own} <= set(run(f"python -m bench ls {kind}", place, installed).split())


def test_an_installed_method_is_checked_as_the_page_says(installed: Path, tmp_path: Path) -> None:
    (command,) = (command for command in commands(METHOD) if "check faint" in command)
    lines = run(f"{command} --device cpu", clone(tmp_path), installed).splitlines()
    assert len(lines) == 12 and all(line.startswith("passed") for line in lines)


@pytest.mark.slow
def test_the_test_of_an_installed_method_passes(installed: Path, tmp_path: Path) -> None:
    place, own = clone(tmp_path / "bench"), tmp_path / "faint-images"
    own.mkdir()
    (own / "test_faint.py").write_text(files(METHOD)["test_faint.py"])
    (command,) = (command for command in commands(METHOD) if command.startswith("python -m pytest ../"))
    assert "12 passed" in run(command, place, installed)


@pytest.mark.slow
def test_an_installed_network_and_data_set_are_used_as_the_page_says(installed: Path, tmp_path: Path) -> None:
    place, told = clone(tmp_path), {}
    for command in (command for command in commands(THINGS) if command.startswith("python")):
        few = " --device cpu --threads 1" if " pretrain " in command else ""
        told[command] = run(command + few, place, installed)
    assert "stripes: 400 train and 100 test images of 2 classes" in told["python -m bench prepare --dataset stripes"]
    assert told["python -m bench check gdfq --model plainnet"].count("passed") == 12
    assert (place / "results" / "teachers" / "stripes-plainnet.safetensors").is_file()


def test_a_data_set_of_a_package_is_described_loaded_and_watched(stripes: Path) -> None:
    facts, split = describe("stripes", stripes), load_split("stripes", stripes, "train")
    assert (facts.classes, facts.sizes) == (2, {"train": 400, "test": 100})
    assert split.images.shape == (400, 32, 32, 3) and facts.splits["train"] == split.fingerprint
    assert (stripes / ".stripes.stamp.json").is_file() and describe("stripes", stripes) == facts
    watched = training_files("stripes", stripes)
    assert [file.name for file in watched] == ["stripes-train.images.npy", "stripes-train.labels.npy"]
    with pytest.raises(DataAccessDenied), Guard("mine", watched):
        load_split("stripes", stripes, "train")


def test_a_changed_file_of_a_package_is_seen(stripes: Path) -> None:
    before = describe("stripes", stripes).fingerprint
    file = stripes / "stripes-test.images.npy"
    np.save(file, 255 - np.load(file))
    assert describe("stripes", stripes).fingerprint != before


def test_a_missing_file_is_named_with_where_it_comes_from(stripes: Path) -> None:
    (stripes / "stripes-test.labels.npy").unlink()
    with pytest.raises(DataMissing, match=r"stripes-test.labels.npy is missing; write it with: python -m small_things"):
        describe("stripes", stripes)


def test_a_typo_in_its_name_gets_a_suggestion(stripes: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean stripes"):
        describe("strips", stripes)
    assert store.names() == [*store.DATASETS, "stripes"]


@pytest.mark.parametrize(
    ("source", "error", "told"),
    [
        ("import nothing_of_that_name", DatasetPluginInvalid, "for data set 'mine', cannot be imported: No module"),
        ("Mine = 3", DatasetPluginInvalid, "must be a subclass of bench.data.dataset.Reader with class_names"),
        (reader().replace('class_names = ("a", "b")', ""), DatasetPluginInvalid, "with class_names"),
        (reader().replace("def files", "def file"), DatasetPluginInvalid, r"lacks the method\(s\) files"),
        (
            reader(files="[]"),
            DatasetPluginInvalid,
            "no file is named for the train split; no file is",
        ),
        (reader(files='[root / "mine.both"]'), DatasetPluginInvalid, "mine.both holds both splits; keep them in files"),
        (reader(files="[root.parent / split]"), DatasetPluginInvalid, "train is not below the data root"),
        (
            reader(arrays="np.zeros((4, 3, 32, 32)), np.arange(4)"),
            DataCorrupt,
            "images must be uint8.*span 0..3",
        ),
    ],
)
def test_what_is_wrong_with_a_reader_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, error: type[Exception], told: str
) -> None:
    root = tmp_path / "data"
    root.mkdir()
    for split in ("train", "test"):
        (root / f"mine.{split}").write_text("")
    offer(tmp_path / "packages", monkeypatch, "mine", source)
    with pytest.raises(error, match=told):
        describe("mine", root)
    plugin.reader.cache_clear()


def test_a_name_that_two_packages_offer_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path / "one", monkeypatch, "mine", reader(), "first")
    offer(tmp_path / "two", monkeypatch, "mine", reader(), "second")
    with pytest.raises(DatasetPluginInvalid, match=r"'mine' is offered by first_\d+:Mine of .* and second_\d+:Mine of"):
        describe("mine", tmp_path)
    plugin.reader.cache_clear()


def test_a_name_of_the_projects_own_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, monkeypatch, "shapes10", reader())
    with pytest.raises(DatasetPluginInvalid, match=r"'shapes10' is offered by offered_\d+:Mine of .* and this project"):
        describe("shapes10", tmp_path)
    plugin.reader.cache_clear()


def test_npz_files_of_the_same_name_are_refused(stripes: Path) -> None:
    (stripes / "stripes_train.npz").write_bytes(b"")
    with pytest.raises(DatasetPluginInvalid, match=r"stripes_train.npz is there too; rename one"):
        describe("stripes", stripes)

"""Methods by name: the project's own, and those of other packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import registry
from bench.errors import MethodInvalid, UnknownName

ADAPTER = """
from bench.method import Card, Method
from bench.schedule import Phase, Schedule


class Mine(Method):
    card = Card("{name}", "1", "mine", "nobody", Schedule((Phase("train", 1),), batch=1, steps=1))

    def source(self, setup):
        return None

    def learner(self, setup):
        return None
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, point: str, card: str) -> None:
    """Put a package with one method on the path, as pip would."""
    (folder / f"package_{point}.py").write_text(ADAPTER.format(name=card))
    info = folder / f"package_{point}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: package-{point}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{point} = package_{point}:Mine\n")
    monkeypatch.syspath_prepend(str(folder))
    registry.get.cache_clear()


def test_own_methods_are_listed_without_importing_them() -> None:
    before = {name for name in sys.modules if name.startswith("methods.")}
    assert {"gdfq", "pretrain"} <= set(registry.names())
    assert {name for name in sys.modules if name.startswith("methods.")} == before


def test_each_own_method_has_a_card_of_its_name() -> None:
    for name in registry.names():
        assert registry.get(name).card.name == name


def test_typo_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="did you mean gdfq"):
        registry.get("gdqf")


def test_a_method_of_another_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "mine", "mine")
    assert "mine" in registry.names()
    assert registry.get("mine").card.title == "mine"


def test_a_name_offered_twice_names_both_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "gdfq", "gdfq")
    with pytest.raises(MethodInvalid, match=r"methods\.gdfq:METHOD and package_gdfq:Mine"):
        registry.get("gdfq")
    registry.get.cache_clear()


def test_a_card_of_another_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "other", "another")
    with pytest.raises(MethodInvalid, match="whose card is named 'other'"):
        registry.get("other")

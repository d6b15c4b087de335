"""`new-method` writes an adapter that works, overwrites nothing, and what the page about it tells is true."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from doccode import clone, commands, files, run, suite

from bench import skeleton
from bench.cli import main
from bench.conformance import CHECKS
from bench.method import Method

PAGE = "adding-a-method.md"


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like the repository."""
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "__init__.py").write_text("")
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(root: Path) -> dict[str, str]:
    """Every file but the package's own, with its text."""
    found = sorted(path for path in root.rglob("*") if path.is_file() and path.name != "__init__.py")
    return {path.relative_to(root).as_posix(): path.read_text() for path in found}


def test_adapter_and_test_are_written_and_named(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-method", "faint_images"]) == 0
    assert list(written(empty)) == ["methods/faint_images.py", "tests/test_faint_images.py"]
    told = (
        "wrote methods/faint_images.py\nwrote tests/test_faint_images.py\ntry it: python -m bench check faint_images\n"
    )
    assert capsys.readouterr().out == told
    for text in written(empty).values():
        compile(text, "skeleton", "exec")
        assert "$" not in text


def test_the_adapter_is_short_and_one_of_its_name(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skeleton.write("faint_images", empty)
    monkeypatch.syspath_prepend(str(empty / "methods"))
    adapter = importlib.import_module("faint_images").METHOD
    assert issubclass(adapter, Method)
    assert adapter.card.name == "faint_images" and adapter.__name__ == "FaintImages"
    assert code_lines(written(empty)["methods/faint_images.py"]) < 60


def code_lines(text: str) -> int:
    return sum(bool(line.strip()) for line in text.splitlines())


@pytest.mark.parametrize("name", ["Mine", "my-method", "2nd", "", "class", "../mine", "mine.py", "parts", "größe"])
def test_names_that_no_module_can_have_are_refused(empty: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-method", name]) == 2
    assert f"error: '{name}' is no name for a method; use small letters" in capsys.readouterr().err
    assert not written(empty)


def test_a_method_that_exists_is_refused(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-method", "gdfq"]) == 2
    assert "there is a method 'gdfq' already; choose another name" in capsys.readouterr().err
    assert not written(empty)


@pytest.mark.parametrize("existing", ["methods/mine.py", "tests/test_mine.py"])
def test_nothing_is_overwritten_and_nothing_written_beside_it(
    empty: Path, existing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty / existing).write_text("precious")
    assert main(["new-method", "mine"]) == 2
    assert f"{existing} exists; it stays as it is" in capsys.readouterr().err
    assert written(empty) == {existing: "precious"}


def test_both_files_are_written_or_neither(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(skeleton.TEMPLATES, "tests/test_{}.py", "missing.txt")
    with pytest.raises(skeleton.SkeletonRefused, match="cannot write"):
        skeleton.write("mine", empty)
    assert not written(empty)


def test_elsewhere_than_in_a_clone_the_page_is_named(tmp_path: Path) -> None:
    with pytest.raises(skeleton.SkeletonRefused, match=r"no methods/ and tests/ in .*docs/adding-a-method.md"):
        skeleton.write("mine", tmp_path)


def test_the_page_has_a_method_of_under_60_lines_and_names_every_check() -> None:
    assert code_lines(files(PAGE)["faint_images.py"]) < 60
    page = (Path(__file__).parents[1] / "docs" / PAGE).read_text()
    assert all(f"| `{check}` |" in page for check in CHECKS)


def test_the_pages_first_commands_write_a_method_that_keeps_the_contract(tmp_path: Path) -> None:
    place = clone(tmp_path)
    write, check = commands(PAGE)[:2]
    assert run(write, place).splitlines()[0] == "wrote methods/mine.py"
    assert "mine" in run("python -m bench ls methods", place).split()
    lines = run(f"{check} --device cpu", place).splitlines()
    assert [line.split() for line in lines] == [["passed", name] for name in CHECKS]


@pytest.mark.slow
def test_the_written_test_passes_and_the_pages_suite_plans_the_method(tmp_path: Path) -> None:
    place = clone(tmp_path)
    write, _, test, plan = commands(PAGE)[:4]
    run(write, place)
    assert f"{len(CHECKS)} passed" in run(test, place)
    (place / "suites" / "mine.toml").write_text(suite(PAGE))
    assert "4 cells" in run(plan, place)

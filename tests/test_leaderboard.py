"""The verbs `leaderboard` and `table`: what they write, check and show, and the block in a README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from reportrecords import CELL, failed, record, seeds, store

from bench.cli import main
from bench.report import table
from bench.report.readme import END, START, shown
from bench.spec import Bits

README = f"# Title\n\nbefore\n\n{START}\nold\n{END}\n\nafter\n"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with two methods at the quick schedule."""
    folder = tmp_path / "results"
    store(folder, [*seeds(0.88), *seeds(0.9, cell=CELL.but(method="bag"))])
    return folder


def leaderboard(results: Path, *arguments: str) -> int:
    return main(["leaderboard", "--results", str(results), *arguments])


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_it_writes_what_the_check_then_finds_current(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard(results, "--check") == 1
    assert not (results / "tables").exists()
    assert leaderboard(results) == 0
    before = contents(results)
    assert leaderboard(results, "--check") == leaderboard(results) == 0
    assert contents(results) == before
    assert "6 files from 2 results" in capsys.readouterr().out


def test_the_check_names_what_is_out_of_date(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leaderboard(results)
    (results / "tables/cifar10.md").write_text("88.01")
    capsys.readouterr()
    assert leaderboard(results, "--check") == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{results}/tables/cifar10.md is not what the records give; run: python -m bench leaderboard",
        "6 files from 2 results",
    ]


def test_tables_whose_records_are_gone_are_named_and_removed(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (gone,) = store(results, seeds(0.7, cell=CELL.but(dataset="cifar100")))
    leaderboard(results)
    gone.unlink()
    (results / "tables/claims.md").write_text("of another verb")
    (results / "tables/cifar100.txt").write_text("somebody's own")
    before = contents(results / "tables")
    capsys.readouterr()
    assert leaderboard(results, "--check") == 1
    assert f"{results}/tables/cifar100.tex has no records behind it any more" in capsys.readouterr().out
    assert contents(results / "tables") == before
    assert leaderboard(results) == 0
    lost = {path.relative_to(results / "tables").as_posix() for path in before if not path.is_file()}
    assert {"cifar100.csv", "cifar100.md", "cifar100.tex"} <= lost
    assert all(Path(path).stem == "cifar100" for path in lost) and "cifar100.txt" not in lost
    assert leaderboard(results, "--check") == 0


def test_it_names_what_it_left_out(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results / "records/cifar10/gdfq/torn.json").write_text("{")
    assert leaderboard(results) == 0
    assert "left out records/cifar10/gdfq/torn.json: not readable as JSON" in capsys.readouterr().out


def test_the_table_shows_and_writes_nothing(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(results)
    assert main(["table", "--results", str(results)]) == 0
    assert main(["table", "--results", str(results), "--show", "cost", "--dataset", "cifar10"]) == 0
    out = capsys.readouterr().out
    assert "88.00" in out and "amortised s" in out
    assert contents(results) == before


# the block in a README


def test_only_what_stands_between_the_markers_changes(results: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(README)
    assert leaderboard(results, "--readme", str(readme)) == 0
    text = readme.read_text()
    assert text.startswith(f"# Title\n\nbefore\n\n{START}\n**cifar10") and text.endswith(f"{END}\n\nafter\n")
    assert re.search(r"\| gdfq +\| +1 \| +88.00 \|", text) and "old" not in text
    assert leaderboard(results, "--readme", str(readme), "--check") == 0
    readme.write_text(text.replace("88.00", "89.00"))
    assert leaderboard(results, "--readme", str(readme), "--check") == 1


@pytest.mark.parametrize(
    "text", ["no markers", f"{START} no end", f"{END} {START}", README + README], ids=["none", "end", "order", "twice"]
)
def test_a_readme_without_one_place_is_refused_and_nothing_written(
    results: Path, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text)
    assert leaderboard(results, "--readme", str(readme)) == 2
    assert f"{readme}: write {START} and {END} once each" in capsys.readouterr().err
    assert readme.read_text() == text and not (results / "tables").exists()


def test_a_readme_that_is_not_there_is_refused(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard(results, "--readme", str(results / "none.md")) == 2
    assert "none.md: not readable" in capsys.readouterr().err


def test_the_readme_shows_the_first_board_that_compares_methods(tmp_path: Path) -> None:
    store(tmp_path, seeds(0.9, cell=CELL.but(schedule="paper")))
    assert (only := shown(table.build(tmp_path))) and only.board.schedule == "paper"
    for method in ("gdfq", "bag"):
        store(tmp_path, [record(CELL.but(method=method, schedule=name)) for name in ("quick", "smoke")])
    assert (first := shown(table.build(tmp_path))) and first.board.schedule == "quick"
    assert shown(table.build(tmp_path / "none")) is None


# the overview


def overview(results: Path) -> dict[str, list[str]]:
    """Cells by method of the first table shown."""
    block = table.terminal(table.build(results)).split("\n\n")[1]
    lines = [line.split() for line in block.splitlines() if line.startswith("none")]
    return {line[1]: line[2:] for line in lines}


def test_the_overview_shows_methods_by_bits_and_what_is_missing(tmp_path: Path) -> None:
    store(tmp_path, [*seeds(0.88, 0.9), *seeds(0.7, cell=CELL.but(bits=Bits(3, 3)))])
    store(tmp_path, [*seeds(0.6, cell=CELL.but(method="bag", bits=Bits(3, 3)))])
    store(tmp_path, [failed(CELL.but(method="akt"), "diverged"), failed(CELL.but(method="bag"), "oom")])
    assert overview(tmp_path) == {
        "akt": [".", "diverged"],
        "bag": ["60.00", "oom"],
        "gdfq": ["70.00", "89.00", "±", "1.41", "(2)"],
    }


def test_a_failure_of_another_board_is_not_shown_in_the_overview(tmp_path: Path) -> None:
    store(tmp_path, [*seeds(0.88), *seeds(0.7, cell=CELL.but(bits=Bits(3, 3))), *seeds(0.6, cell=CELL.but(seed=1))])
    store(tmp_path, [failed(CELL.but(method="akt", schedule="smoke"))])
    assert list(overview(tmp_path)) == ["gdfq"]

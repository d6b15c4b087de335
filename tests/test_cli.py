"""The command line as a person meets it: plans, tables, exit codes, and one clear line for each mistake."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest
from workplace import ROOT, Workplace, give_teacher, make

from bench.cli.common import add_machine, command


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    made = make(tmp_path)
    give_teacher(made)
    return made


def one_line(stderr: str) -> str:
    """The only line of an error message."""
    assert "Traceback" not in stderr
    lines = [line for line in stderr.splitlines() if line]
    assert len(lines) == 1, stderr
    return lines[0]


def test_the_process_that_starts_cells_imports_torch_while_the_one_that_plans_them_does(tmp_path: Path) -> None:
    told = [str(ROOT / "suites/cifar10.toml"), "--results", str(tmp_path), "--bits", "W4A4"]
    code = "import argparse, sys\nfrom bench.cli import run\nparser = argparse.ArgumentParser()\nrun.options(parser)\n"
    code += f"parsed = parser.parse_args({told!r})\nrun.read(parsed.suite), run.wish(parsed)\n"
    code += "held = run.executor('local', run.place(parsed), 1)\n"
    code += "print(held.nursery.poll(), 'torch' in sys.modules)\nheld.close()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "False"]


def test_dry_run_prints_cells_steps_and_estimate_and_writes_nothing(place: Workplace) -> None:
    done = place.bench("run", str(place.suite), "--dry-run")
    assert done.returncode == 0
    assert "1 cells, 0 done, 1 left" in done.stdout
    assert "tiny resnet20 gdfq W4A4 smoke fp32 seed 0: 2 epochs of 20 steps, batch 200" in done.stdout
    assert "estimated time:" in done.stdout
    assert not (place.results / "records").exists()


def test_filters_and_seeds_choose_cells(place: Workplace) -> None:
    done = place.bench("run", str(place.suite), "--dry-run", "--seeds", "3")
    assert "3 cells" in done.stdout
    done = place.bench("run", str(place.suite), "--dry-run", "--bits", "W3A3")
    assert done.returncode == 2
    assert "no cell of suite 'tiny' matches" in one_line(done.stderr)


def test_missing_model_names_the_command_that_makes_it(tmp_path: Path) -> None:
    place = make(tmp_path)
    done = place.bench("run", str(place.suite))
    assert done.returncode == 2
    assert "python -m bench pretrain --dataset tiny --model resnet20" in one_line(done.stderr)


def test_unknown_data_set_gets_a_suggestion(place: Workplace) -> None:
    done = place.bench("prepare", "--dataset", "cifar1")
    assert done.returncode == 2
    assert "did you mean cifar10" in done.stderr


def test_results_path_that_is_a_file_gets_one_clear_line(place: Workplace) -> None:
    blocked = place.data / "blocked"
    blocked.write_text("")
    wrong = Workplace(place.data, blocked / "results", place.suite)
    done = wrong.bench("pretrain", "--dataset", "tiny", "--schedule", "smoke")
    assert done.returncode == 2
    assert "cannot write" in one_line(done.stderr)


def test_missing_cifar_is_an_error_where_data_is_required(tmp_path: Path) -> None:
    place = make(tmp_path)
    suite = tmp_path / "cifar.toml"
    suite.write_text(place.suite.read_text().replace('"tiny"', '"cifar10"'))
    done = place.bench("run", str(suite), "--stand-in", "shapes10", "--dry-run", REQUIRE_DATA="1", **offline())
    assert done.returncode == 2
    assert "cifar10 is not in" in done.stderr


def test_missing_cifar_goes_on_with_the_stand_in_and_says_so(tmp_path: Path) -> None:
    place = make(tmp_path)
    suite = tmp_path / "cifar.toml"
    suite.write_text(place.suite.read_text().replace('"tiny"', '"cifar10"'))
    done = place.bench("run", str(suite), "--stand-in", "shapes10", "--dry-run", **offline())
    assert "STAND-IN" in done.stderr
    assert "first: python -m bench pretrain --dataset shapes10 --model resnet20" in done.stdout


def offline() -> dict[str, str]:
    """Environment in which every download fails at once."""
    return {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


def test_planning_and_help_start_without_heavy_imports() -> None:
    code = "import sys; from bench.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print({'torch', 'mlflow', 'pandas', 'torchvision'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("set()")


def test_a_recorded_command_names_no_folder_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["bench", "run", "a.toml", "--results", "/home/me/r", "--data-root=/home/me/d", "--no-sync"]
    monkeypatch.setattr(sys, "argv", given)
    assert command() == "python -m bench run a.toml --no-sync"


def test_a_cell_has_one_thread_unless_told() -> None:
    parser = argparse.ArgumentParser()
    add_machine(parser)
    assert parser.parse_args([]).threads == 1
    assert parser.parse_args(["--threads", "3"]).threads == 3


def test_a_cell_imports_neither_mlflow_nor_pandas() -> None:
    code = "import sys, bench.runner.group, methods.gdfq; print({'mlflow', 'pandas', 'torchvision'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.slow
def test_run_leaves_record_weights_tables_and_prints_the_table(place: Workplace) -> None:
    done = place.bench("run", str(place.suite))
    assert done.returncode == 0, done.stderr
    (record,) = place.records()
    assert record.ok and record.result["census"]["violations"] == []
    assert (place.results / record.run["weights_file"]).is_file()
    assert "W4A4" in done.stdout and "gdfq" in done.stdout
    assert {path.suffix for path in (place.results / "tables").rglob("*.*")} == {".csv", ".md", ".tex"}
    assert place.bench("leaderboard", "--check").returncode == 0
    assert (place.results / "mlflow.db").is_file()
    assert json.loads((place.results / "teachers" / "tiny-resnet20.json").read_text())["sha256"] == record.spec["init"]


@pytest.mark.slow
def test_a_missing_model_is_trained_first_where_that_is_asked_for(tmp_path: Path) -> None:
    place = make(tmp_path)
    done = place.bench("run", str(place.suite), "--pretrain", "--no-sync")
    assert done.returncode == 0, done.stderr
    assert "there is no full-precision resnet20 for tiny yet: training it first" in done.stdout
    assert {record.cell.method for record in place.records()} == {"pretrain", "gdfq"}


def test_no_model_is_trained_where_a_file_is_given(tmp_path: Path) -> None:
    place = make(tmp_path)
    missing = tmp_path / "absent.pth"
    done = place.bench("run", str(place.suite), "--pretrain", "--teacher", str(missing))
    assert done.returncode == 2
    assert "absent.pth" in one_line(done.stderr)
    assert "training it first" not in done.stdout

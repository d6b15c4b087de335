"""Regression checks that really run cells: what is missing, and time and memory against a real commit."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults import Faults, prepare
from workplace import ROOT, Workplace

pytestmark = pytest.mark.slow

METHOD = "methods/plodder.py"
DRAW = "        images = torch.randn("


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    made = prepare(tmp_path / "place", ("W4A4",), 5, schedule="smoke")
    freeze = ["reference", "freeze", "faulty"]
    assert made.run().returncode == 0
    assert reference(made, *freeze).returncode == 0
    return made


def reference(faults: Faults, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *arguments, "--results", str(faults.place.results)]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | faults.environment, capture_output=True, text=True, check=False
    )


def regress(faults: Faults, *arguments: str) -> subprocess.CompletedProcess[str]:
    told = ("--suite", str(faults.place.suite), "--threads", "1", "--device", "cpu")
    return faults.place.bench("regress", *arguments, *told, **faults.environment)


def test_what_is_missing_runs_and_is_judged(faults: Faults) -> None:
    done = regress(faults, "faulty student_rate=0.01", "--baseline", "faulty")
    assert done.returncode == 0, done.stderr
    assert "5 cells, 0 done, 5 left" in done.stdout and "against frozen references of faulty: pass" in done.stdout
    assert len(faults.place.records()) == 10
    again = regress(faults, "faulty student_rate=0.01", "--baseline", "faulty")
    assert again.returncode == 0 and "5 cells, 5 done, 0 left" in again.stdout


def test_a_cell_that_fails_is_no_verdict_and_exit_code_1(faults: Faults) -> None:
    faults.set(W4A4_s3="exception")
    done = regress(faults, "faulty student_rate=0.01", "--baseline", "faulty")
    assert done.returncode == 1
    assert "not all runs finished: seed 3: failed" in " ".join(done.stdout.split())


def test_a_cell_that_diverges_fails_with_exit_code_3(faults: Faults) -> None:
    faults.set(W4A4_s2="nan")
    done = regress(faults, "faulty student_rate=0.01", "--baseline", "faulty")
    assert done.returncode == 3
    assert "diverged at seed 2, where the baseline does not" in " ".join(done.stdout.split())


def test_runs_of_older_code_are_run_again_beside_the_stored_ones(faults: Faults) -> None:
    for path in (faults.place.results / "records").rglob("*.json"):
        path.write_text(re.sub(r'("faulty": ")[0-9a-f]{16}', r"\g<1>" + "0" * 16, path.read_text()))
    before = faults.digests()
    done = regress(faults, "faulty")
    assert done.returncode == 0 and "all are run anew" in done.stdout
    assert "the same results, bit for bit" in done.stdout
    assert faults.digests() == before
    (apart,) = (faults.place.results / ".work/regress").iterdir()
    assert len(list((apart / "records").rglob("*.json"))) == 5


# time and memory


@pytest.fixture
def repository(tmp_path: Path, faults: Faults) -> Path:
    """A repository of this code with a method `plodder`, which has become slower since the last commit."""
    folder = tmp_path / "repository"
    for name in ("bench", "methods"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "tests/faulty.py").read_text().replace('"faulty"', '"plodder"') + "\n\nMETHOD = Faulty\n"
    (folder / METHOD).write_text(text)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=as it was")
    return folder


def git(folder: Path, *arguments: str) -> str:
    named = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(["git", *named, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def speed(repository: Path, faults: Faults, temporary: Path, *arguments: str) -> subprocess.Popen[str]:
    place: Workplace = faults.place
    temporary.mkdir()
    told = ["--suite", str(place.suite), "--results", str(place.results), "--data-root", str(place.data)]
    path = os.pathsep.join(map(str, (repository, ROOT / "tests", place.data)))
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "regress", "plodder", "--speed", *told, "--threads", "1", *arguments],
        cwd=repository,
        env=os.environ | faults.environment | {"PYTHONPATH": path, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_slower_step_than_at_the_commit_is_a_regression(repository: Path, faults: Faults, tmp_path: Path) -> None:
    slow = (repository / METHOD).read_text().replace(DRAW, "        time.sleep(0.02)\n" + DRAW)
    (repository / METHOD).write_text(slow)
    report = tmp_path / "report.md"
    told, _ = speed(repository, faults, tmp_path / "t", "--report", str(report)).communicate(timeout=500)
    found = re.search(r"time of a step: ([\d.]+) times the old, 95 % interval \[([\d.]+), ", told)
    assert found and float(found[1]) > 1.5 and float(found[2]) > 1.05, told
    assert re.search(r"peak memory: (0\.9\d|1\.0\d)\d times .*: pass", told)
    assert "time of a step" in report.read_text()
    assert not list((tmp_path / "t").glob("bench-speed-*"))
    assert git(repository, "status", "--porcelain").split() == ["M", METHOD]
    assert len(git(repository, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_being_stopped_leaves_nothing_behind(
    repository: Path, faults: Faults, tmp_path: Path, number: signal.Signals
) -> None:
    running = speed(repository, faults, tmp_path / "t", "--rounds", "99")
    deadline = time.monotonic() + 120
    while not list((tmp_path / "t").glob("bench-speed-*/run-2")):
        assert time.monotonic() < deadline and running.poll() is None
        time.sleep(0.1)
    running.send_signal(number)
    running.communicate(timeout=60)
    assert running.returncode == 130
    assert not list((tmp_path / "t").glob("bench-speed-*"))
    assert not git(repository, "status", "--porcelain")


def test_what_cannot_run_beside_gets_one_line(repository: Path, faults: Faults, tmp_path: Path) -> None:
    told, _ = speed(repository, faults, tmp_path / "a", "--against", "nowhere").communicate(timeout=60)
    assert "has no commit 'nowhere'" in told and "Traceback" not in told
    (repository / METHOD).write_text(
        (repository / METHOD).read_text().replace(DRAW, "        raise OSError('no')\n" + DRAW)
    )
    told, _ = speed(repository, faults, tmp_path / "b", "--rounds", "3").communicate(timeout=120)
    assert "the new code in" in told and "does not run the cell" in told and "Traceback" not in told

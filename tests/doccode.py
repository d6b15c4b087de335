"""What a documentation page tells a reader to write and to run, so that tests can do just that."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from workplace import ROOT

DOCS = ROOT / "docs"


def files(page: str) -> dict[str, str]:
    """The files of a page by name: a name in backquotes and a colon, then a block."""
    found = re.findall(r"`([\w.]+)`:\n\n```\w+\n(.*?)```", (DOCS / page).read_text(), re.S)
    return dict(found)


def suite(page: str) -> str:
    """The suite that a page shows."""
    (found,) = re.findall(r"```toml\n(name = .*?)```", (DOCS / page).read_text(), re.S)
    return found


def commands(page: str) -> list[str]:
    """Every indented command of a page, in order."""
    return re.findall(r"^    (\S.*)$", re.sub(r"```.*?```", "", (DOCS / page).read_text(), flags=re.S), re.M)


def clone(folder: Path) -> Path:
    """The repository as far as commands need it, with an empty folder of tests."""
    for name in ("bench", "methods"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "results" / "teachers", folder / "results" / "teachers")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in ("tests", "suites", "data"):
        (folder / name).mkdir()
    return folder


def run(command: str, folder: Path, *places: Path) -> str:
    """Run a command of a page in a clone, with packages installed in `places`; its output."""
    arguments = shlex.split(command)
    assert arguments[0] == "python"
    done = subprocess.run(
        [sys.executable, *arguments[1:]],
        cwd=folder,
        env=environment(folder, *places),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def environment(*places: Path) -> dict[str, str]:
    """Environment in which packages are found in these places first."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, places)), "BENCH_DATA": ""}

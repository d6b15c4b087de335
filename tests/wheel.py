"""A package of a few modules as a wheel, made by hand from its pyproject.toml, and installed by pip offline."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path


def build(texts: Mapping[str, str], folder: Path) -> Path:
    """The wheel of a package whose files are given by name, as setuptools would make it."""
    about = tomllib.loads(texts["pyproject.toml"])
    project, stem = about["project"], about["project"]["name"].replace("-", "_")
    info = f"{stem}-{project['version']}.dist-info"
    content = {f"{module}.py": texts[f"{module}.py"] for module in about["tool"]["setuptools"]["py-modules"]} | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": _entry_points(project["entry-points"]),
    }
    content[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*content, f"{info}/RECORD"))
    path = folder / f"{stem}-{project['version']}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return path


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel into a folder of its own, which is to be put on PYTHONPATH."""
    quiet = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    command = [sys.executable, "-m", "pip", "install", *quiet, "--target", str(folder), str(wheel)]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PIP_CONFIG_FILE": os.devnull})
    return folder


def _entry_points(groups: Mapping[str, Mapping[str, str]]) -> str:
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items()), ""]
    return "\n".join(lines)

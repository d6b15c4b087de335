"""The adapter and the test that a new method starts from."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from bench.errors import BenchError
from bench.registry import names

TEMPLATES = {"methods/{}.py": "method.txt", "tests/test_{}.py": "test.txt"}
"""Where each file goes, and what it is made from."""


class SkeletonRefused(BenchError):
    """A skeleton that cannot be written: its name or its place will not do; the message lists every reason."""


def write(name: str, root: Path) -> list[Path]:
    """Write `methods/NAME.py` and `tests/test_NAME.py` below `root`: both, or neither; nothing is overwritten.

    Raises:
        SkeletonRefused: listing what is wrong with the name, or in the way.
    """
    if problems := [*_name_problems(name), *_place_problems(name, root)]:
        raise SkeletonRefused("; ".join(problems))
    made: list[Path] = []
    try:
        for path, template in _paths(name, root).items():
            with path.open("x") as file:
                made.append(path)
                file.write(_text(template, name))
    except BaseException as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise SkeletonRefused(f"cannot write: {error}") from error
        raise
    return made


def _text(template: str, name: str) -> str:
    title = "".join(part.capitalize() for part in name.split("_"))
    return Template((files("bench.skeleton") / template).read_text()).substitute(name=name, title=title)


def _paths(name: str, root: Path) -> dict[Path, str]:
    return {root / place.format(name): template for place, template in TEMPLATES.items()}


def _name_problems(name: str) -> list[str]:
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or name == "parts":
        return [f"'{name}' is no name for a method; use small letters, digits and _, a letter first, no Python keyword"]
    return [f"there is a method '{name}' already; choose another name"] if name in names() else []


def _place_problems(name: str, root: Path) -> list[str]:
    if not (root / "methods" / "__init__.py").is_file() or not (root / "tests").is_dir():
        told = "run this where the repository was cloned to; in a package of your own, see docs/adding-a-method.md"
        return [f"there is no methods/ and tests/ in {root.resolve()}; {told}"]
    return [f"{path} exists; it stays as it is" for path in _paths(name, root) if path.exists()]

"""The code of a cell: which files an adapter's imports reach, read from their text alone."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from workplace import ROOT

from bench.runner import code
from bench.runner.code import code_of

FILES = {
    "__init__": "",
    "adapter": "import math, plug.plain\nfrom . import beside\nfrom .deep.inner import thing\n"
    "from bench.quant import grid\nfrom other_plug import foreign\n\ndef late():\n    from plug import lazy\n",
    "plain": "",
    "beside": "from bench.runner import group\n",
    "lazy": "import plug.adapter\n",
    "unused": "",
    "newer": "this is no Python\n",
    "deep/__init__": "from ..newer import syntax\n",
    "deep/inner": "thing = 1\n",
}
REACHED = {
    "plug", "plug.adapter", "plug.plain", "plug.beside", "plug.lazy", "plug.newer", "plug.deep", "plug.deep.inner",
}  # fmt: skip


@pytest.fixture
def plug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of a plug-in that can be found."""
    for name, text in FILES.items():
        path = tmp_path / "plug" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "other_plug.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    code._closure.cache_clear()
    return tmp_path / "plug"


def test_imports_of_a_plugin_are_followed_within_its_own_package_and_what_is_shared(plug: Path) -> None:
    found = set(code_of("plug.adapter"))
    assert {name for name in found if name.startswith("plug")} == REACHED
    assert {"bench.quant.grid", "bench.method", "bench.models.resnet"} <= found
    assert not found & {"other_plug", "math", "bench.runner.group", "bench.quant.census", "methods.gdfq"}


def test_an_adapter_in_a_file_of_its_own_and_one_without_a_file(plug: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "other_plug" in code_of("other_plug")
    monkeypatch.setitem(sys.modules, "made_on_the_fly", ModuleType("made_on_the_fly"))
    for name in ("made_on_the_fly", "nowhere"):
        found = code_of(name)
        assert name not in found and "bench.method" in found


def test_each_digest_is_of_the_file_and_changes_with_it_alone(plug: Path) -> None:
    before = code_of("plug.adapter")
    assert before["plug.plain"] == hashlib.sha256(b"").hexdigest()[:16]
    (plug / "plain.py").write_text("# edited\n")
    assert code_of("plug.adapter") == before, "edits after the first call must not count"
    code._closure.cache_clear()
    after = code_of("plug.adapter")
    assert {name for name in before if before[name] != after[name]} == {"plug.plain"}


def test_the_answer_is_the_callers_own() -> None:
    code_of("methods.gdfq").clear()
    assert code_of("methods.gdfq")


def fresh(program: str) -> str:
    """What a program prints in a process of its own."""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_fresh_process_gives_the_same_answer_and_imports_nothing_for_it() -> None:
    program = "import json, sys\nfrom bench.runner.code import code_of\nfound = code_of('methods.akt')\n"
    program += (
        "print(json.dumps([found, sorted({'torch', 'methods', 'bench.quant', 'bench.models'} & set(sys.modules))]))"
    )
    found, imported = json.loads(fresh(program))
    assert found == code_of("methods.akt")
    assert imported == []


def test_own_adapters_name_what_they_build_on_and_no_other_method() -> None:
    found = set(code_of("methods.akt"))
    assert {
        "methods.akt",
        "methods.adadfq",
        "methods.parts.student",
        "bench.quant.grid",
        "bench.models.resnet",
    } <= found
    assert not found & {"methods.bag", "methods.qkd", "bench.spec", "bench.runner.code"}


def test_no_module_that_an_adapter_loads_is_overlooked() -> None:
    program = """
import sys
from bench import registry
from bench.runner.code import SCOPE, code_of
named = set()
for method in registry.names():
    module = type(registry.get(method)).__module__
    named |= set(code_of(module))
    loaded = {name for name in sys.modules if name.startswith(SCOPE)}
    print(method, sorted(loaded - named))
"""
    lines = fresh(program).splitlines()
    assert len(lines) >= 9
    assert [line for line in lines if not line.endswith(" []")] == []

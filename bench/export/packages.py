"""The packages of the extra `export`, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from bench.errors import MissingExtra


def package(name: str) -> Any:
    """`onnx` or `onnxruntime`, or a module of them.

    Raises:
        MissingExtra: if it is not installed, with how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        told = f"exporting needs the package {name.partition('.')[0]}: pip install 'lowbit-bench[export]'"
        raise MissingExtra(told) from error

"""Packages that only an extra installs, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from bench.errors import MissingExtra


def package(name: str, extra: str, purpose: str) -> Any:
    """A package, or a module of one.

    Args:
        extra: that installs it. purpose: what needs it, for the message.

    Raises:
        MissingExtra: if it is not installed, with how to install it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        whole = name.partition(".")[0]
        if error.name != whole:
            raise
        raise MissingExtra(f"{purpose} needs the package {whole}: pip install 'lowbit-bench[{extra}]'") from error

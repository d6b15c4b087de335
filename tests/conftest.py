"""Fixtures that several test modules use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from tiny import network


@pytest.fixture
def double() -> Iterator[None]:
    """Double precision throughout, so that rounding cannot hide or fake a difference between two programs."""
    network()  # is made once and kept, in single precision
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)

"""A training iteration whose networks torch.compile has compiled, beside the same as it is by default.

`extra_info` has the seconds of the first compiled iteration, with whatever the compiler had in its cache. Needs a C++
compiler where there is no GPU.
"""

from __future__ import annotations

import time

import pytest
import torch
import torch._functorch.config
from adapters import Adapter
from beside import Beside, finish

ROUNDS = 5


class Compiled(Adapter):
    """The same with its networks compiled."""

    def __init__(self, name: str, precision: str) -> None:
        super().__init__(name, precision)
        for owner, role in ((self.source, "generator"), (self.source, "tutor"), (self.learner, "model")):
            setattr(owner, role, torch.compile(getattr(owner, role)))


@pytest.mark.parametrize("name", ["gdfq", "adadfq"])
@torch._functorch.config.patch(donated_buffer=False)  # a student's pass is gone through twice
def test_compiled_step(beside: Beside, name: str) -> None:
    plain, compiled = Adapter(name, "bf16"), Compiled(name, "bf16")
    began = time.perf_counter()
    finish(compiled.iterate)
    beside.benchmark.extra_info["first_step_seconds"] = time.perf_counter() - began
    beside.in_turn(compiled.iterate, {"the step as it is": plain.iterate}, rounds=ROUNDS, warmup=2)

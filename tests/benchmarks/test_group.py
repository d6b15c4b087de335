"""An iteration of a group of six bit-widths that share one source, beside those of six runs of one width each.

One iteration of each run is timed; in a group every learner learns from the one batch that its source drew.
"""

from __future__ import annotations

import pytest
from adapters import Adapter
from beside import Beside

BITS = ("W8A8", "W7A7", "W6A6", "W5A5", "W4A4", "W3A3")
ROUNDS = 5


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["gdfq", "finetune"])
def test_six_bit_widths_of_one_source(beside: Beside, name: str, precision: str) -> None:
    runs = [Adapter(name, precision, bits=bits) for bits in BITS]

    def group() -> None:
        batch = runs[0].draw()
        for run in runs:
            run.learn(batch)

    def alone() -> None:
        for run in runs:
            run.iterate()

    beside.in_turn(group, {"six runs of one width each": alone}, rounds=ROUNDS, warmup=1)

"""Time of one GDFQ iteration (W4A4, ResNet-20, a generator's and a student's step) against the plain transcription.

Both run in one process and take turns, so that whatever else the machine does meets both. `extra_info` holds the
ratio of their median times. On a GPU if there is one. Settings: BENCH_BATCH (200), BENCH_ROUNDS (5, or 50 on a GPU).
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from tiny import network, setup
from transcription import ConditionalGenerator, Program

from bench.method import Setup
from methods.gdfq import GDFQ

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
BATCH = int(os.environ.get("BENCH_BATCH", "200"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "50" if DEVICE.type == "cuda" else "5"))
WARMUP = 3 if DEVICE.type == "cuda" else 1


def finished() -> float:
    """The time once the device has done what it was given."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def given(precision: str) -> Setup:
    def model(role: str) -> torch.nn.Module:
        return network().to(DEVICE, memory_format=torch.channels_last)

    told = setup(GDFQ(), batch=BATCH, steps=10_000, precision=precision, model=model)
    told.device = DEVICE
    return told


def adapter(precision: str) -> Callable[[], None]:
    """One iteration of the adapter in its training phase, ranges tracked beforehand."""
    told = given(precision)
    source, learner = GDFQ().source(told), GDFQ().learner(told)
    learner.learn(told.schedule.step(0), source.draw(told.schedule.step(0), learner.student()))
    steps: Iterator[int] = count(told.schedule.total // 2)

    def iterate() -> None:
        step = told.schedule.step(next(steps))
        learner.learn(step, source.draw(step, learner.student()))
        finished()

    return iterate


def transcribed() -> Callable[[], None]:
    """The same iteration of the transcription, always fp32 in NCHW, as its authors run it."""
    generator = ConditionalGenerator(10).to(DEVICE)
    program = Program(network().to(DEVICE), network().to(DEVICE), generator, (4, 4), 1, (), published=True)
    program.student.to(DEVICE)

    def iterate(epoch: int = 1) -> None:
        z, y = torch.randn(BATCH, 100), torch.randint(10, (BATCH,))
        program.iteration(epoch, z.to(DEVICE), y.to(DEVICE))
        finished()

    iterate(epoch=0)
    return iterate


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gdfq_step(benchmark: BenchmarkFixture, precision: str) -> None:
    ours, theirs = adapter(precision), transcribed()
    seconds: list[float] = []

    def take_turns() -> None:
        began = finished()
        theirs()
        seconds.append(finished() - began)

    benchmark.pedantic(ours, setup=take_turns, rounds=ROUNDS, warmup_rounds=WARMUP)
    own, other = benchmark.stats.stats.median, statistics.median(seconds[WARMUP:])
    benchmark.extra_info.update(
        device=torch.cuda.get_device_name() if DEVICE.type == "cuda" else f"cpu, {torch.get_num_threads()} threads",
        batch=BATCH,
        seconds={"adapter": own, "transcription": other},
        ratio=round(other / own, 3),
    )
    print(f"\n{precision}: {own:.4f} s a step, transcription {other:.4f} s, {other / own:.2f} times as fast")

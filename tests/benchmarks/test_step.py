"""Time of one iteration (W4A4, ResNet-20, a generator's and a student's step) against the plain transcription.

Both run in one process and take turns, so that whatever else the machine does meets both. `extra_info` holds the
ratio of their median times. On a GPU if there is one. Batches are the methods' published ones. Setting: BENCH_ROUNDS,
of 200 images (5, or 50 on a GPU); smaller batches get four times as many.
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
from transcription_adadfq import AdaDFQProgram

from bench.method import Method, Setup
from bench.registry import get

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PROGRAMS = {"gdfq": Program, "adadfq": AdaDFQProgram}
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "50" if DEVICE.type == "cuda" else "5"))
WARMUP = 3 if DEVICE.type == "cuda" else 1


def finished() -> float:
    """The time once the device has done what it was given."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def given(method: Method, precision: str) -> Setup:
    def model(role: str) -> torch.nn.Module:
        return network().to(DEVICE, memory_format=torch.channels_last)

    batch = method.card.schedule.batch
    told = setup(method, batch=batch, steps=10_000, precision=precision, model=model)
    told.device = DEVICE
    return told


def adapter(method: Method, precision: str) -> Callable[[], None]:
    """One iteration of the adapter in its training phase, ranges tracked beforehand."""
    told = given(method, precision)
    source, learner = method.source(told), method.learner(told)
    learner.learn(told.schedule.step(0), source.draw(told.schedule.step(0), learner.student()))
    steps: Iterator[int] = count(told.schedule.total // 2)

    def iterate() -> None:
        step = told.schedule.step(next(steps))
        learner.learn(step, source.draw(step, learner.student()))
        finished()

    return iterate


def transcribed(kind: type[Program], batch: int) -> Callable[[], None]:
    """The same iteration of the transcription, always fp32 in NCHW, as its authors run it."""
    generator = ConditionalGenerator(10).to(DEVICE)
    program = kind(network().to(DEVICE), network().to(DEVICE), generator, (4, 4), 1, (), published=True)
    program.student.to(DEVICE)

    def iterate(epoch: int = 1) -> None:
        z, y = torch.randn(batch, 100), torch.randint(10, (batch,))
        program.iteration(epoch, z.to(DEVICE), y.to(DEVICE))
        finished()

    iterate(epoch=0)
    return iterate


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_step(benchmark: BenchmarkFixture, name: str, precision: str) -> None:
    method = get(name)
    batch = method.card.schedule.batch
    ours, theirs = adapter(method, precision), transcribed(PROGRAMS[name], batch)
    seconds: list[float] = []

    def take_turns() -> None:
        began = finished()
        theirs()
        seconds.append(finished() - began)

    benchmark.pedantic(ours, setup=take_turns, rounds=ROUNDS if batch >= 100 else 4 * ROUNDS, warmup_rounds=WARMUP)
    own, other = benchmark.stats.stats.median, statistics.median(seconds[WARMUP:])
    benchmark.extra_info.update(
        device=torch.cuda.get_device_name() if DEVICE.type == "cuda" else f"cpu, {torch.get_num_threads()} threads",
        batch=batch,
        seconds={"adapter": own, "transcription": other},
        ratio=round(other / own, 3),
    )
    print(f"\n{name} {precision}: {own:.4f} s a step, transcription {other:.4f} s, {other / own:.2f} times as fast")

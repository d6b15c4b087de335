"""A quiet device: real processes that train, measure, stop and are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.errors import Busy, ResultsUnwritable
from bench.files import canonical_json
from bench.locks import SILENCE, Owner
from bench.measure.devices import runtime
from bench.measure.quiet import Training, exclusive

ROOT = Path(__file__).resolve().parents[1]

TRAINER = """
import os, signal, sys, time
from bench.measure.quiet import Training
device, step, log = sys.argv[1], float(sys.argv[2]), sys.argv[3]
stopping = []
signal.signal(signal.SIGINT, lambda *_: stopping.append(True))
steps = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
print("starts", flush=True)
with Training(device, say=lambda line: print(line, flush=True)) as training:
    print("trains", flush=True)
    while not stopping:
        os.write(steps, b".")
        time.sleep(step)
        paused = training.boundary(lambda: bool(stopping))
        if paused:
            print(f"was paused {paused}", flush=True)
print("ended", flush=True)
"""

ASKER = """
import sys, time
from bench.measure.quiet import exclusive
with exclusive(sys.argv[1], wait=float(sys.argv[2])):
    print("quiet", flush=True)
    time.sleep(float(sys.argv[3]))
"""


class Process:
    """A script that runs, and what it says."""

    def __init__(self, script: str, *arguments: object) -> None:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        self.real = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    @property
    def pid(self) -> int:
        return self.real.pid

    def says(self) -> str:
        """Its next line."""
        assert self.real.stdout is not None
        return self.real.stdout.readline().strip()

    def kill(self) -> None:
        """As `kill -9`; it stays a zombie until the end of the test."""
        os.kill(self.pid, signal.SIGKILL)


class Trainer(Process):
    """A training under way, of steps of so many seconds."""

    def __init__(self, log: Path, device: str = "cpu", step: float = 0.005) -> None:
        super().__init__(TRAINER, device, step, log)
        self.log = log
        assert self.says() == "starts"

    @property
    def steps(self) -> int:
        return self.log.stat().st_size

    def goes_on(self) -> bool:
        """Whether it does a further step within some seconds."""
        before = self.steps
        return until(lambda: self.steps > before)


def until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether something becomes true within some seconds."""
    deadline = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the device `cpu`, of this test alone."""
    monkeypatch.setenv("BENCH_RUNTIME", str(tmp_path / "runtime"))
    return tmp_path / "runtime" / "cpu"


@pytest.fixture
def running() -> Iterator[Callable[[Process], Process]]:
    """Registers processes to be ended with the test."""
    with ExitStack() as stack:

        def ends(process: Process) -> None:
            process.real.kill()
            process.real.communicate()

        def register(process: Process) -> Process:
            stack.callback(ends, process)
            return process

        yield register


@pytest.fixture
def trainer(tmp_path: Path, running: Callable[[Process], Process]) -> Callable[..., Trainer]:
    """Starts trainings; each has begun when it is returned."""

    def start(name: str = "steps", **kind: object) -> Trainer:
        process = Trainer(tmp_path / name, **kind)  # type: ignore[arg-type]
        running(process)
        assert process.says() == "trains"
        return process

    return start


@pytest.fixture
def asker(running: Callable[[Process], Process]) -> Callable[..., Process]:
    """Starts processes that measure."""
    return lambda wait=10.0, seconds=60.0: running(Process(ASKER, "cpu", wait, seconds))


@contextmanager
def frozen(process: Process) -> Iterator[None]:
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def content(owner: Owner) -> bytes:
    return canonical_json(asdict(owner)).encode()


def test_trainings_pause_for_a_measurement_and_then_go_on(trainer: Callable[..., Trainer], folder: Path) -> None:
    both = [trainer("a"), trainer("b")]
    with exclusive("cpu", wait=10) as alone:
        before = [process.steps for process in both]
        began = time.monotonic()
        time.sleep(0.5)
        assert [process.steps for process in both] == before
        assert set(alone.paused) == {process.pid for process in both}
        assert alone.still()
        lasted = time.monotonic() - began
    assert all(process.goes_on() for process in both)
    for process in both:
        assert process.says() == f"paused while process {os.getpid()} measures on this device"
        assert lasted < float(process.says().removeprefix("was paused ")) < lasted + 5
    assert [Path(name).suffix for name in files(folder)] == [".training"] * 2


def test_a_training_of_another_device_goes_on(trainer: Callable[..., Trainer]) -> None:
    other = trainer(device="cuda-0")
    with exclusive("cpu", wait=5) as alone:
        assert other.goes_on()
        assert alone.paused == ()


def test_who_reaches_no_boundary_in_time_is_named_and_the_others_go_on(trainer: Callable[..., Trainer]) -> None:
    slow, quick = trainer("slow", step=60.0), trainer("quick")
    began = time.monotonic()
    with pytest.raises(Busy, match=rf"^training process {slow.pid} reached no step boundary within 1 s"):
        exclusive("cpu", wait=1).__enter__()
    assert 1 <= time.monotonic() - began < 5
    assert quick.goes_on()


def test_a_frozen_training_is_not_taken_for_paused(trainer: Callable[..., Trainer]) -> None:
    process = trainer()
    with frozen(process), pytest.raises(Busy, match=f"training process {process.pid} "):
        exclusive("cpu", wait=0.5).__enter__()
    assert process.goes_on()


def test_a_killed_training_is_not_waited_for_and_leaves_nothing(trainer: Callable[..., Trainer], folder: Path) -> None:
    trainer().kill()
    with exclusive("cpu", wait=5) as alone:
        assert alone.paused == ()
        assert files(folder) == ["lock", "request"]
    assert files(folder) == []


def test_a_training_that_was_killed_while_paused_leaves_nothing(trainer: Callable[..., Trainer], folder: Path) -> None:
    process = trainer()
    with exclusive("cpu", wait=10):
        process.kill()
        process.real.wait()
    with exclusive("cpu", wait=5) as alone:
        assert alone.paused == ()
    assert files(folder) == []


def test_trainings_go_on_when_who_measures_is_killed(
    trainer: Callable[..., Trainer], asker: Callable[..., Process], folder: Path
) -> None:
    process, measuring = trainer(), asker()
    assert measuring.says() == "quiet"
    measuring.kill()
    assert process.goes_on()
    assert {"lock", "request"} < set(files(folder))  # what it left is in nobody's way:
    late = trainer("late")
    assert late.goes_on()
    with exclusive("cpu", wait=10) as alone:
        assert set(alone.paused) == {process.pid, late.pid}
    assert process.goes_on()
    assert late.goes_on()


def test_trainings_go_on_when_who_waits_for_others_is_killed(
    trainer: Callable[..., Trainer], asker: Callable[..., Process]
) -> None:
    quick = trainer("quick")
    trainer("slow", step=60.0)
    waiting = asker()
    assert quick.says() == f"paused while process {waiting.pid} measures on this device"
    waiting.kill()
    assert quick.goes_on()


def test_an_interrupted_training_stops_while_it_is_paused(trainer: Callable[..., Trainer], folder: Path) -> None:
    process = trainer()
    with exclusive("cpu", wait=10):
        os.kill(process.pid, signal.SIGINT)
        assert process.real.wait(10) == 0
        assert files(folder) == ["lock", "request"]


def test_a_training_that_starts_during_a_measurement_begins_after_it(
    tmp_path: Path, running: Callable[[Process], Process]
) -> None:
    with exclusive("cpu", wait=1):
        process = Trainer(tmp_path / "steps")
        running(process)
        assert process.says() == f"paused while process {os.getpid()} measures on this device"
        time.sleep(0.3)
        assert process.steps == 0
    assert process.says() == "trains"
    assert process.goes_on()


def test_measurements_take_turns(asker: Callable[..., Process]) -> None:
    first = asker(seconds=1.5)
    assert first.says() == "quiet"
    with pytest.raises(Busy, match=f"held by process {first.pid} "):
        exclusive("cpu", wait=0.2).__enter__()
    with exclusive("cpu", wait=20):
        assert first.real.wait(5) == 0


def test_an_error_while_measuring_lets_trainings_go_on(trainer: Callable[..., Trainer], folder: Path) -> None:
    process = trainer()
    with pytest.raises(KeyError), exclusive("cpu", wait=10):
        raise KeyError
    assert process.goes_on()
    assert "request" not in files(folder)


@pytest.mark.slow
def test_kills_at_random_leave_trainings_that_go_on_and_measurements_that_get_their_turn(
    trainer: Callable[..., Trainer], asker: Callable[..., Process], folder: Path
) -> None:
    chance, survivor = random.Random(0), trainer("survivor")
    for number in range(20):
        victim, measuring = trainer(f"victim-{number}", step=0.001), asker(seconds=0.2)
        time.sleep(chance.uniform(0, 0.8))
        for process in chance.sample([victim, measuring], 2):
            process.kill()
            time.sleep(chance.choice([0, 0.1]))
        assert survivor.goes_on()
    with exclusive("cpu", wait=10) as alone:
        assert alone.paused == (survivor.pid,)
        steps = survivor.steps
        time.sleep(0.2)
        assert survivor.steps == steps
    assert survivor.goes_on()
    assert [Path(name).suffix for name in files(folder) if name.endswith((".training", ".paused"))] == [".training"]


def ask(folder: Path, owner: Owner, silent: float = 0.0) -> None:
    """The files of someone who measures, without a heartbeat for some seconds."""
    for name in ("lock", "request"):
        (folder / name).write_bytes(content(owner))
    os.utime(folder / "lock", (time.time() - silent,) * 2)


def test_who_cannot_be_seen_counts_until_five_silent_minutes(folder: Path) -> None:
    elsewhere = replace(Owner.me(), host="elsewhere")
    with Training("cpu") as training:
        ask(folder, elsewhere, silent=SILENCE - 10)
        stops = iter([False, False, True])
        assert training.boundary(lambda: next(stops)) > 0.3
        ask(folder, replace(elsewhere, token="new"), silent=SILENCE + 10)
        assert training.boundary(lambda: True) == 0
        ask(folder, replace(elsewhere, token="newer"))
        assert training.boundary(lambda: True) > 0


def test_a_request_of_one_who_lost_the_lock_counts_for_nothing(folder: Path) -> None:
    with Training("cpu") as training:
        ask(folder, Owner.me())
        (folder / "lock").write_bytes(content(Owner.me()))
        assert training.boundary(lambda: True) == 0


def test_who_lost_the_lock_is_alone_no_longer_and_removes_no_ones_request(folder: Path) -> None:
    with exclusive("cpu", wait=1) as alone:
        ask(folder, replace(Owner.me(), host="elsewhere"))
        assert not alone.still()
    assert files(folder) == ["lock", "request"]


def test_a_boundary_costs_microseconds_with_and_without_what_a_killed_asker_left(
    asker: Callable[..., Process],
) -> None:
    def cost(training: Training) -> float:
        return min(timeit.repeat(training.boundary, number=200, repeat=20)) / 200

    with Training("cpu") as training:
        assert cost(training) < 30e-6
        measuring = asker()
        assert until(lambda: training.boundary(lambda: True) > 0)
        measuring.kill()
        measuring.real.wait()
        assert cost(training) < 30e-6


def test_a_folder_that_cannot_be_made_stops_measurements_but_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_RUNTIME", str(tmp_path / "file"))
    with Training("cpu") as training:
        assert training.boundary(lambda: True) == 0
    with pytest.raises(ResultsUnwritable, match="BENCH_RUNTIME"):
        exclusive("cpu").__enter__()


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    monkeypatch.setenv("BENCH_RUNTIME", str(tmp_path / "shared"))
    with pytest.raises(ResultsUnwritable, match="belongs to others too"):
        exclusive("cpu").__enter__()


def test_devices_are_the_machines_and_not_a_results_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_RUNTIME")
    assert runtime().name == f"lowbit-bench-{os.getuid()}"
    assert runtime().is_absolute()

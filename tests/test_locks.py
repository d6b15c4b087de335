"""Locks: real processes that hold, die, fall silent and compete."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench import locks
from bench.errors import Busy, ResultsUnwritable
from bench.files import canonical_json
from bench.locks import SILENCE, UNSIGNED, Owner, hold

ROOT = Path(__file__).resolve().parents[1]

HOLDER = """
import sys, time
from pathlib import Path
from bench.locks import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""

CONTENDER = """
import contextlib, os, sys, time
from pathlib import Path
from bench.errors import Busy
from bench.locks import hold
folder, start, rounds = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
with contextlib.ExitStack() as held, (folder / "winners").open("a") as winners:
    for number in range(rounds):
        while time.time() < start + 0.04 * number:
            pass
        with contextlib.suppress(Busy):
            held.enter_context(hold(folder / f"lock-{number}"))
            winners.write(f"{number}\\n")
    winners.flush()
    time.sleep(max(0, start + 0.04 * rounds + 1 - time.time()))
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@contextmanager
def holder(path: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock for some time."""
    process = start(HOLDER, path, seconds)
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def content(owner: Owner) -> bytes:
    return canonical_json(asdict(owner)).encode()


def elsewhere() -> Owner:
    return replace(Owner.me(), host="elsewhere")


def gone() -> Owner:
    """An owner on this host whose process has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return replace(Owner.me(), pid=process.pid)


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".lock"


def test_a_held_lock_says_who_holds_it_and_a_released_one_leaves_nothing(path: Path) -> None:
    with hold(path), pytest.raises(Busy, match=rf"process {os.getpid()} on .+ since 20\d\d-"), hold(path):
        pass
    assert list(path.parent.iterdir()) == []


def test_an_exception_releases_it(path: Path) -> None:
    with pytest.raises(KeyError), hold(path):
        raise KeyError
    assert list(path.parent.iterdir()) == []


def test_another_process_excludes_us_until_it_is_killed(path: Path) -> None:
    with holder(path, 60) as process:
        with pytest.raises(Busy, match=f"process {process.pid} "), hold(path):
            pass
        os.kill(process.pid, signal.SIGKILL)
        with hold(path, wait=5) as lock:  # it is a zombie now, as nobody has waited for it
            assert lock.mine()
            assert process.returncode is None
    assert list(path.parent.iterdir()) == []


def test_waiting_ends_with_the_release_or_with_the_patience(path: Path) -> None:
    with holder(path, 1.5):
        begin = time.monotonic()
        with pytest.raises(Busy), hold(path, wait=0.5):
            pass
        assert 0.5 <= time.monotonic() - begin < 1.4
        with hold(path, wait=20):
            pass


def test_a_recycled_pid_is_another_process(path: Path) -> None:
    me = Owner.me()
    path.write_bytes(content(me))
    with pytest.raises(Busy), hold(path):
        pass
    path.write_bytes(content(replace(me, started=me.started - 60)))
    with hold(path) as lock:
        assert lock.mine()


def test_the_same_pid_in_another_container_is_not_judged_by_ours(path: Path) -> None:
    path.write_bytes(content(replace(gone(), space="pid:[1]")))
    with pytest.raises(Busy), hold(path):
        pass


def test_who_was_killed_before_signing_is_gone_soon(path: Path) -> None:
    path.touch()
    with pytest.raises(Busy), hold(path):
        pass
    age(path, UNSIGNED + 1)
    with hold(path):
        pass


@pytest.mark.parametrize("text", [content(elsewhere()), b"[]", b'{"host": "x"}'])
def test_who_cannot_be_seen_is_gone_after_five_silent_minutes(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    age(path, SILENCE - 10)
    with pytest.raises(Busy), hold(path):
        pass
    age(path, SILENCE + 10)
    with hold(path) as lock:
        assert lock.mine()


def test_the_heartbeat_renews_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "HEARTBEAT", 0.02)
    with hold(path):
        age(path, 1000)
        deadline = time.monotonic() + 5
        while time.time() - path.stat().st_mtime > 500 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert time.time() - path.stat().st_mtime < 500


def test_an_owner_that_fell_silent_notices_and_leaves_the_new_owner_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hold(path) as old:
        age(path, SILENCE + 10)
        with holder(path, 60):
            assert not old.mine()
            monkeypatch.setattr(locks, "HEARTBEAT", 0.01)
            locks._release(old)
            with pytest.raises(Busy), hold(path):
                pass


def test_who_found_the_owner_gone_too_early_does_not_win(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rival, judge = content(Owner.me()), locks._gone
    path.write_bytes(content(gone()))

    def overtaken(file: Path, found: bytes) -> bool:
        """The verdict on the dead owner, while a rival takes the whole lock over before we act on it."""
        monkeypatch.setattr(locks, "_gone", judge)
        assert locks._take(path, rival)
        return True

    monkeypatch.setattr(locks, "_gone", overtaken)
    assert not locks._take(path, content(Owner.me()))
    assert path.read_bytes() == rival
    assert list(path.parent.iterdir()) == [path]


def test_a_release_leaves_the_file_to_who_is_taking_it_over(path: Path) -> None:
    with hold(path) as lock:
        locks._claim(path, lock.content).write_bytes(content(elsewhere()))
    assert path.read_bytes() == lock.content


def test_a_taker_that_died_in_the_middle_is_taken_over_too(path: Path) -> None:
    stale, taker = content(gone()), content(gone())
    path.write_bytes(stale)
    locks._claim(path, stale).write_bytes(taker)
    with hold(path) as lock:
        assert lock.mine()
    assert list(path.parent.iterdir()) == []


def test_of_simultaneous_takers_of_a_dead_owners_lock_exactly_one_wins(tmp_path: Path) -> None:
    rounds, stale = 50, content(gone())
    for number in range(rounds):
        (tmp_path / f"lock-{number}").write_bytes(stale)
    begin = time.time() + 1.5
    processes = [start(CONTENDER, tmp_path, begin, rounds) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    for process in processes:
        process.communicate()
    winners = Counter(int(line) for line in (tmp_path / "winners").read_text().splitlines())
    assert winners == dict.fromkeys(range(rounds), 1)


def test_a_folder_that_cannot_be_written_is_the_persons_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsUnwritable, match="file"), hold(tmp_path / "file" / ".lock"):
        pass

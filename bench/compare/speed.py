"""Time and memory of a method's steps, at a commit and as the code is now, run in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from bench.compare import git
from bench.compare.errors import CommitUnusable, NothingToCompare
from bench.compare.reference import Reference
from bench.errors import OptionInvalid
from bench.records import Record, load
from bench.report.text import clipped
from bench.signals import heeding
from bench.spec import Bits
from bench.stats.difference import paired
from bench.suite import Suite, Variant
from bench.sweep.place import Place
from bench.sweep.wish import Wish, wished

FEWEST = 3
"""Rounds of four runs (old, new, new, old) that an interval needs."""


@dataclass(frozen=True)
class Short:
    """The one short cell that is run again and again."""

    dataset: str
    model: str
    variant: Variant
    bits: Bits
    precision: str
    schedule: str

    def __str__(self) -> str:
        return f"{self.bits} on {self.dataset} {self.model} {self.schedule} {self.precision}"

    @property
    def suite(self) -> str:
        """It as a suite file."""
        options = ", ".join(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in self.variant.options.items())
        method = f"{{ name = {json.dumps(self.variant.name)}, options = {{ {options} }} }}"
        axes = {"dataset": self.dataset, "model": self.model, "bits": str(self.bits), "precision": self.precision}
        lines = [f"{name} = [{json.dumps(value)}]" for name, value in {**axes, "schedule": self.schedule}.items()]
        return "\n".join(['name = "speed"', "[axes]", *lines, f"method = [{method}]", "seed = [0]", ""])


@dataclass(frozen=True)
class Sample:
    """What one run took.

    Attributes:
        step_seconds: of drawing and learning. peak_bytes: resident, of its process.
        gpu_bytes: the most that training had allocated on a GPU; None without one, and where no record says so.
    """

    step_seconds: float
    peak_bytes: float
    gpu_bytes: float | None

    @classmethod
    def of(cls, record: Record) -> Sample:
        run = record.run
        spent = run["seconds"]["draw"] / run["shared"] + run["seconds"]["learn"]
        peak = run["peak_bytes"]
        return cls(spent / record.result["steps"], peak["rss"], peak.get("train", {}).get("allocated"))


_MEASURED = {"time of a step": "step_seconds", "peak memory": "peak_bytes", "peak memory of the GPU": "gpu_bytes"}


@dataclass(frozen=True)
class Ratio:
    """New over old with a 95 % interval: above 1 is slower, or larger."""

    what: str
    estimate: float
    low: float
    high: float

    @classmethod
    def of(cls, what: str, old: Sequence[float], new: Sequence[float]) -> Ratio:
        """The ratio of runs that took turns, pair by pair."""
        found = paired([log(value) for value in old], [log(value) for value in new])
        return cls(what, exp(found.estimate), exp(found.low), exp(found.high))

    def __str__(self) -> str:
        return f"{self.what}: {self.estimate:.3f} times the old, 95 % interval [{self.low:.3f}, {self.high:.3f}]"

    def verdict(self, tolerance: float) -> str:
        """`pass` where it is surely below 1 + tolerance, `fail` where it is surely above, else `cannot tell`."""
        if self.high <= 1 + tolerance:
            return "pass"
        return "fail" if self.low > 1 + tolerance else "cannot tell"


def short_of(suite: Suite, wish: Wish, place: Place) -> Short:
    """The first cell of a suite that a wish leaves.

    Raises:
        NothingToCompare: if it leaves none.
    """
    point = next(wished(suite, wish, place.device), None)
    if point is None:
        raise NothingToCompare(f"no cell of suite '{suite.name}' matches; drop --dataset or --bits")
    variant = Variant(point.method, point.options)
    return Short(point.dataset, point.model, variant, point.bits, point.precision, point.schedule)


def frozen_times(reference: Reference) -> str:
    """What a reference's runs took when they were frozen, which nothing is compared with: machines differ, and days."""
    runs = [run for width in reference.widths.values() for run in width.runs]
    seconds = fmean(sum(run.seconds.values()) for run in runs)
    platforms = ", ".join(sorted({run.platform for run in runs}))
    return f"for information alone: a cell took {seconds:.1f} s when {reference.name} was frozen, on {platforms}"


def commit_beside(ref: str) -> str:
    """The id of a commit of the repository that this code is in.

    Raises:
        CommitUnusable: if this code is in none, or it has no such commit.
    """
    found = git.commit_of(Path(__file__).parent, ref)
    if found is None:
        raise CommitUnusable(f"the repository of this code ({Path(__file__).parents[2]}) has no commit '{ref}'")
    return found


def ratios(short: Short, commit: str, place: Place, rounds: int, say: Callable[[str], None]) -> list[Ratio]:
    """Step time and peak memory of this code over those of a commit's.

    The commit's files are unpacked into a temporary folder, which is gone afterwards, also after Ctrl-C or SIGTERM.
    One run of each goes before and does not count.

    Args:
        say: told what goes on.

    Raises:
        OptionInvalid: for fewer than `FEWEST` rounds.
        CommitUnusable: if this code is under no git, or one of both does not run the cell.
    """
    if rounds < FEWEST:
        raise OptionInvalid(f"--rounds {rounds} are too few for an interval; give {FEWEST} or more")
    here = git.root_of(Path(__file__).parent)
    if here is None or not Path(__file__).samefile(here / "bench" / "compare" / "speed.py"):
        raise CommitUnusable("this code is in no git repository, so that no commit of it can be run beside it")
    with _stoppable(), TemporaryDirectory(prefix="bench-speed-") as folder:
        there = Path(folder) / "code"
        there.mkdir()
        git.unpack(here, commit, there, [".", ":(exclude)results"])
        trees, taken = {"old": there, "new": here}, {"old": list[Sample](), "new": list[Sample]()}
        for number, which in enumerate(["old", "new", *["old", "new", "new", "old"] * rounds]):
            sample = _run(short, trees[which], which, place, Path(folder) / f"run-{number}")
            if number >= len(trees):
                taken[which].append(sample)
            say(f"{which}: {1000 * sample.step_seconds:.2f} ms a step, {sample.peak_bytes / 1e6:.0f} MB")
    found = {what: [[getattr(s, name) for s in taken[side]] for side in taken] for what, name in _MEASURED.items()}
    return [Ratio.of(what, old, new) for what, (old, new) in found.items() if all([*old, *new])]


def _run(short: Short, tree: Path, which: str, place: Place, folder: Path) -> Sample:
    """Run the cell once, in a process of its own with the code of a tree and a results folder of its own."""
    results, suite = folder / "results", folder / "speed.toml"
    results.mkdir(parents=True)
    suite.write_text(short.suite)
    (results / "teachers").symlink_to((place.results / "teachers").resolve(), target_is_directory=True)
    command = [sys.executable, "-m", "bench", "run", str(suite), "--results", str(results)]
    command += ["--data-root", str(place.data_root.resolve()), "--device", place.device]
    command += ["--threads", str(place.threads), "--executor", "inline", "--no-sync"]
    path = os.pathsep.join(filter(None, [str(tree), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(place.threads)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    found = [record for record in load(results) if record.ok]
    if not found:
        reasons = [clipped(record.reason) for record in load(results) if record.reason]
        said = [f"exit code {done.returncode}", *done.stdout.splitlines(), *done.stderr.splitlines(), *reasons]
        last = [line for line in said if line.strip()][-1]
        raise CommitUnusable(f"the {which} code in {tree} does not run the cell: {last}")
    return Sample.of(found[0])


@contextmanager
def _stoppable() -> Iterator[None]:
    """Within it, SIGTERM ends things as orderly as Ctrl-C does."""
    with heeding(_interrupt):
        yield


def _interrupt() -> None:
    raise KeyboardInterrupt

"""Running a recorded cell again, by the function that sweeps use, into a results folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import records
from bench.data import describe
from bench.errors import ModelMissing, OptionInvalid
from bench.files import ensure_writable
from bench.measure.environment import gpu_name
from bench.method import Card, Method, options_of, settled, version_of
from bench.models.teachers import Teacher, find, from_file
from bench.records import Record
from bench.registry import get
from bench.reproduce.find import NotReproducible
from bench.runner import exits
from bench.runner.job import Job
from bench.signals import heeding
from bench.spec import Cell, identity


@dataclass(frozen=True)
class Means:
    """What a repetition is run with.

    Attributes:
        results: folder that full-precision models are kept in. into: results folder of the repetition.
        data_root: folder of data sets. teacher: a user's weights file in place of the stored init.
        device, threads: in place of the record's; None for the record's.
    """

    results: Path
    into: Path
    data_root: Path
    teacher: Path | None = None
    device: str | None = None
    threads: int | None = None


def job_of(record: Record, means: Means, command: str) -> Job:
    """The job that runs a record's cell again.

    Raises:
        NotReproducible: if the data set or the method's options are no longer those of the record, or it needs a GPU.
        UnknownName, DataMissing, DataCorrupt, ModelMissing, ModelCorrupt: for what is not there, each naming it.
    """
    method = get(record.spec["method"])
    cell = _cell(record, method)
    dataset = describe(cell.dataset, means.data_root)
    if dataset.fingerprint != record.data.get("fingerprint"):
        then = str(record.data.get("fingerprint"))[:12]
        raise NotReproducible(
            f"{cell.dataset} in {means.data_root} holds other images ({dataset.fingerprint[:12]}) than the record's "
            f"({then}); name the folder that has those by --data-root"
        )
    device = means.device or ("cpu" if record.platform.startswith("cpu/") else "cuda")
    if device == "cuda" and gpu_name() is None:
        raise NotReproducible(f"the record is of {record.platform}, and there is no NVIDIA GPU here; give --device cpu")
    return Job(
        cells=(cell,),
        ids=(identity(cell, version_of(method, cell.options), dataset.fingerprint),),
        suite=record.suite,
        sweep=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        command=command,
        results=means.into.resolve(),
        data_root=means.data_root.resolve(),
        device=device,
        threads=means.threads or int(record.run.get("environment", {}).get("threads") or os.cpu_count() or 1),
        teachers=_teachers(cell, settled(method, cell.options), means),
    )


def run(job: Job) -> Record | None:
    """The record of a job of one cell, run in a process of its own unless it is there; None if it was interrupted.

    Raises:
        NotReproducible: if the process ended without leaving a record.
    """
    ensure_writable(job.results)
    code = exits.OK if job.done(0) else _run(job)
    if code in (exits.INTERRUPTED, -signal.SIGINT):
        return None
    found = records.find(job.record(0))
    if found is None:
        raise NotReproducible(f"the run left no record: {_told(code)}")
    return found


def _run(job: Job) -> int:
    """The exit code of a process that runs a job. Being asked to stop is left to it: it writes a checkpoint first."""
    limits = {"OMP_NUM_THREADS": str(job.threads), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "bench.runner"]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, text=True, env=os.environ | limits, start_new_session=True)
    with heeding(lambda: child.send_signal(signal.SIGINT)):
        child.communicate(job.text())
    return child.returncode


def _told(code: int) -> str:
    """How a process ended that left no record."""
    if code >= 0:
        return f"it ended with code {code} and says why above"
    return f"{signal.Signals(-code).name} ended it" + ("; memory may have run out" if code == -signal.SIGKILL else "")


def _cell(record: Record, method: Method) -> Cell:
    """The cell with options that the method has gained since at their defaults."""
    try:
        options = options_of(method.card, record.cell.options)
    except OptionInvalid as error:
        raise NotReproducible(f"today's {method.card.name} has not the options of the record: {error}") from error
    return record.cell.but(options=asdict(options) if options is not None else {})


def _teachers(cell: Cell, card: Card, means: Means) -> Mapping[str, Teacher]:
    """The full-precision models that the cell names, by sha256."""
    found = {}
    for sha256, model in ((cell.init, cell.model), (cell.tutor, card.tutor or cell.model)):
        if sha256 and sha256 not in found:
            found[sha256] = _teacher(sha256, model, cell, means).resolved()
    return found


def _teacher(sha256: str, model: str, cell: Cell, means: Means) -> Teacher:
    """A model with these weights: the user's file, where it is of the cell's own network, or a stored one."""
    if means.teacher and model == cell.model:
        found = from_file(means.teacher, describe(cell.dataset, means.data_root), model)
    else:
        found = find(means.results, cell.dataset, model)
    if found.card.sha256 != sha256:
        raise ModelMissing(
            f"the record's {model} for {cell.dataset} has the weights {sha256[:12]}, and {found.weights} has "
            f"{found.card.sha256[:12]}; give the record's own by --teacher FILE or --results DIR"
        )
    return found

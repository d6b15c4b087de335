"""A sitting: everything that is to be measured of some cells, of which what is known already is left as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.errors import BenchError, Busy, MissingExtra, ResultsUnwritable
from bench.evaluate import steps
from bench.measure import measurement, session
from bench.measure.kernels import EAGER_FP32, FAKE_QUANTIZED, NONE, RUNTIME_FP32, RUNTIME_INT8, RUNTIME_MIXED, TRAINING
from bench.measure.measurement import ANY, Measurement
from bench.measure.stored import Stored, stored
from bench.measure.subject import Machine
from bench.records import Record

EAGER = (FAKE_QUANTIZED, EAGER_FP32)
RUNTIME = (RUNTIME_INT8, RUNTIME_MIXED, RUNTIME_FP32)


NAMES = {"quantized": "quantized model", "full": "full-precision model"}
"""Forms of a cell's models, as people call them."""

Run = Callable[..., list[Measurement]]


@dataclass(frozen=True)
class Task:
    """One thing to measure of each cell.

    Attributes:
        kind: see `measurement.KINDS`. kernels: that its measurements may have. title: for people.
        batch: images a pass; None where the method or the counting decides.
        forms: which of a cell's models it measures, in turn if there are two. run: measures them.
    """

    kind: str
    kernels: tuple[str, ...]
    title: str
    batch: int | None
    forms: tuple[str, ...]
    run: Run


def tasks(results: Path, kinds: Sequence[str], batches: Sequence[int], machine: Machine, data_root: Path) -> list[Task]:
    """What there is to do for these kinds and batch sizes."""
    memory, step = partial(session.memory, results=results), partial(steps.step, results=results, data_root=data_root)
    found = _apart("cost", (NONE,), None, session.counts)
    for size in batches:
        found += _apart("memory", EAGER, size, partial(memory, machine=machine, batch=size))
        found += _apart("energy", EAGER, size, partial(session.joules, machine=machine, batch=size))
        found += [_in_turn("latency", EAGER, size, partial(session.eager, machine=machine, batch=size))]
        run = partial(session.runtime, machine=machine, batch=size)
        found += [_in_turn("latency in onnxruntime", RUNTIME, size, run)]
    found += [
        Task("step", (TRAINING,), "time of a training step", None, ("quantized",), partial(step, machine=machine))
    ]
    return [task for task in found if task.kind in kinds]


def _apart(kind: str, kernels: tuple[str, ...], batch: int | None, run: Run) -> list[Task]:
    """Tasks that measure a cell's two models one by one."""
    at = kind if batch is None else f"{kind} at batch size {batch}"
    return [Task(kind, kernels, f"{at}, {NAMES[form]}", batch, (form,), partial(run, form=form)) for form in NAMES]


def _in_turn(title: str, kernels: tuple[str, ...], batch: int, run: Run) -> Task:
    """A task that measures the latency of both models of a cell in turn."""
    return Task("latency", kernels, f"{title} at batch size {batch}", batch, tuple(NAMES), run)


class Sitting:
    """Measurements under way.

    Attributes:
        known: measurements of earlier sittings, unless those are to be made again, and of this one.
        left: a sentence for each thing that could not be measured.
        impossible: titles of tasks that can be done for no cell here.
    """

    def __init__(self, results: Path, machine: Machine, again: bool, say: Callable[[str], object]) -> None:
        """`again`: measure what is known too. `say` tells a person what is being measured."""
        self.results, self.say = results, say
        self.places = {(machine.platform, machine.environment["processor"]), (ANY, ANY)}
        self.known = [] if again else measurement.load(results)
        self.left: list[str] = []
        self.impossible: set[str] = set()

    def measure(self, record: Record, wanted: Iterable[Task]) -> list[Measurement]:
        """A cell's measurements and those of its full-precision model; new ones are kept.

        Raises:
            ModelMissing, ModelCorrupt: if a model is not in the results folder, or is damaged.
            Busy: if the device is not free in time. ResultsUnwritable: if nothing can be kept.
        """
        found: list[Measurement] = []
        models: Stored | None = None
        for task in wanted:
            known = self._known(record, task)
            if not known and task.title not in self.impossible:
                models = models or stored(self.results, record)
                known = self._new(record, task, models)
            found += known
        return found

    def _known(self, record: Record, task: Task) -> list[Measurement]:
        """What is known of all of a task's models on this machine; nothing if one is missing."""
        models = {"quantized": record.result["weights"], "full": record.cell.init}
        found = [self._of(models[form], task) for form in task.forms]
        return [m for each in found for m in each] if all(found) else []

    def _of(self, model: str, task: Task) -> list[Measurement]:
        return [
            m
            for m in self.known
            if (m.model, m.kind) == (model, task.kind)
            and m.kernel in task.kernels
            and m.batch == (task.batch or m.batch)
            and (m.platform, m.processor) in self.places
        ]

    def _new(self, record: Record, task: Task, models: Stored) -> list[Measurement]:
        """What a task finds now; nothing where it cannot be done here, and then `left` says why."""
        self.say(f"measuring {record.cell.dataset} {record.cell.label} ({record.id[:16]}): {task.title}")
        try:
            found = task.run(models)
        except (Busy, ResultsUnwritable):
            raise
        except BenchError as error:
            if isinstance(error, MissingExtra | session.NotHere):
                self.impossible.add(task.title)
            if str(error) not in self.left:
                self.left.append(str(error))
            return []
        for each in found:
            measurement.write(self.results, each)
        self.known += found
        return found

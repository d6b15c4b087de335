"""One cell's way through a group: its learner, losses, scores and, at the end, its deterministic result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from statistics import fmean, median
from typing import Any

import numpy as np
from torch import Tensor

from bench.method import Learner, Setup, State
from bench.models.weights import fingerprint
from bench.quant import census
from bench.quant.describe import activation_ranges
from bench.quant.signal import signal_to_noise
from bench.runner.clock import Clock
from bench.runner.evaluate import Score, TestImages, score
from bench.runner.gradients import gradient_norms
from bench.runner.reference import Reference
from bench.runner.tally import Tally
from bench.schedule import Step

CENSUS_IMAGES = 500
WATCHED = "watched/"


class Track:
    """A cell under way.

    Attributes:
        epochs: one entry an epoch: phase, accuracies, mean losses and gradient norms.
        steps: steps learnt from. images: that these steps had, all added up.
        clock: time spent. paces: mean seconds of a step of each epoch, its draw included and evaluation left out.
        diverged_at: index of the first step with a loss that was not finite, or None.
        latest: score after the latest epoch. untrained: packed correctness before the first update.
    """

    def __init__(self, cell_id: str, setup: Setup, learner: Learner) -> None:
        self.id, self.setup, self.learner = cell_id, setup, learner
        self.tally = Tally(setup.device)
        self.epochs: list[dict[str, Any]] = []
        self.steps = self.images = 0
        self.clock = Clock("learn", "evaluate")
        self.paces: list[float] = []
        self.begun = (0.0, 0)
        self.diverged_at: int | None = None
        self.latest: Score | None = None
        self.untrained: str | None = None

    def learn(self, step: Step, batch: Any, drawn: Mapping[str, Tensor]) -> None:
        """Learn from a batch; `drawn` are the source's losses of this step."""
        learned = self.learner.learn(step, batch)
        losses = {f"draw/{k}": v for k, v in drawn.items()} | {f"learn/{k}": v for k, v in learned.items()}
        self.tally.add(step.index, losses | {f"{WATCHED}{k}": v for k, v in self.learner.watched().items()})
        self.steps = step.index + 1
        self.images += len(batch.labels)

    def losses(self) -> dict[str, float]:
        """Mean losses of the epoch so far; synchronises with the host."""
        return {name: mean for name, mean in self.tally.means().items() if not name.startswith(WATCHED)}

    def check(self) -> bool:
        """Whether all losses were finite so far; synchronises with the host."""
        self.diverged_at = self.tally.diverged()
        return self.diverged_at is None

    def begin_epoch(self, drawn: float) -> None:
        """Steps are timed from here on; the source has spent `drawn` seconds so far."""
        self.begun = (drawn + self.clock.seconds["learn"], self.steps)

    def end_epoch(self, step: Step, test: TestImages, drawn: float) -> None:
        """Score the student as it stands and note the epoch; the source has spent `drawn` seconds so far."""
        seconds, steps = drawn + self.clock.seconds["learn"] - self.begun[0], self.steps - self.begun[1]
        self.paces.append(seconds / steps)
        entry: dict[str, Any] = {"losses": self.losses()}
        if step.phase not in self._still() and (norms := gradient_norms(self.learner.student())):
            entry["gradient_norms"] = norms
        with self.clock.on("evaluate"):
            self.latest = score(self.learner.student(), test)
        scores = {"top1": self.latest.top1, "top5": self.latest.top5}
        if watched := {k.removeprefix(WATCHED): v for k, v in self.tally.means().items() if k.startswith(WATCHED)}:
            entry["watched"] = watched
        self.epochs.append({"epoch": step.epoch, "phase": step.phase, **scores, **entry})
        self.tally.restart()
        if step.phase in self._still():
            self.untrained = self.latest.packed()
        self.begin_epoch(drawn)

    def result(self, init: Reference | None, test: TestImages) -> dict[str, Any]:
        """The deterministic outcome, without its digest. Call once the last epoch has ended."""
        assert self.latest is not None
        student = self.learner.student()
        result = {
            **self.progress_so_far(init),
            "correct": self.latest.packed(),
            "correct_untrained": self.untrained,
            **self._by_class(test.labels.cpu().numpy()),
            "agreement": float(np.mean(self.latest.answers == init.answers)) if init else None,
            "weights": fingerprint(student.state_dict()),
        }
        if self.setup.cell.bits.full:
            return result
        images = test.normalised(0, CENSUS_IMAGES)
        counted = asdict(census.take(student, images))
        return result | {
            "unquantized": counted.pop("unquantized"),
            "census": counted,
            "ranges": activation_ranges(student),
            "signal_to_noise": signal_to_noise(student, images),
        }

    def _by_class(self, labels: np.ndarray) -> dict[str, list[int]]:
        """Test images of each class, and how many of them are right."""
        assert self.latest is not None
        chosen = {"per_class": labels[self.latest.correct], "class_images": labels}
        return {key: np.bincount(of, minlength=self.setup.classes).tolist() for key, of in chosen.items()}

    def pace(self) -> dict[str, float | None]:
        """Mean and median of `paces`."""
        if not self.paces:
            return {"mean": None, "median": None}
        return {"mean": round(fmean(self.paces), 6), "median": round(median(self.paces), 6)}

    def progress_so_far(self, init: Reference | None) -> dict[str, Any]:
        """Accuracies and losses of the epochs that were finished."""
        found: dict[str, Any] = {"epochs": self.epochs, "steps": self.steps}
        if self.diverged_at is not None:
            found["diverged_step"] = self.diverged_at
        if self.epochs:
            best = max(self.epochs, key=lambda e: (e["top1"], e["epoch"]))
            last = self.epochs[-1]
            found["top1"] = {
                "last": last["top1"],
                "best": best["top1"],
                "best_epoch": best["epoch"],
                "untrained": self._untrained(),
                "init": init.top1 if init else None,
            }
            found["top5"] = {"last": last["top5"], "best": best["top5"], "init": init.top5 if init else None}
        return found

    def _untrained(self) -> float | None:
        """Top-1 after the last epoch before the student's first update."""
        before = [epoch["top1"] for epoch in self.epochs if epoch["phase"] in self._still()]
        return before[-1] if before else None

    def _still(self) -> set[str]:
        """Names of the phases in which the student is not updated."""
        return {phase.name for phase in self.setup.schedule.phases if not phase.updates}

    def state(self) -> State:
        return {
            "learner": self.learner.state(),
            "tally": self.tally.state(),
            "epochs": self.epochs,
            "clock": self.clock.state(),
            "paces": self.paces,
            "steps": self.steps,
            "images": self.images,
            "diverged": self.diverged_at,
            "untrained": self.untrained,
        }

    def load(self, state: State) -> None:
        self.learner.load(state["learner"])
        self.tally.load(state["tally"])
        self.clock.load(state["clock"])
        self.epochs, self.paces, self.steps, self.images = (state[k] for k in ("epochs", "paces", "steps", "images"))
        self.diverged_at, self.untrained = state["diverged"], state["untrained"]

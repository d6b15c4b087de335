"""Fine-tuning on the labelled training images: what a quantizer allows where data is at hand.

The upper bound beside data-free methods: the same quantizer, ranges and fixed batch-norm statistics, trained with
cross-entropy (Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", 2018, section 3.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn.functional import cross_entropy

from bench.method import Batch, Card, Method, Setup
from bench.schedule import Phase, Schedule
from methods.parts.images import LabelledImages
from methods.parts.student import WARMUP, QuantizedStudent


@dataclass(frozen=True)
class Options:
    """The recipe.

    Attributes:
        student_rate: initial learning rate. With batch-norm statistics fixed, networks stand no high ones: of training
            images held out (CIFAR-10, W3A3, 120 steps) 77.7 % were right at 1e-3, 71.5 % at 1e-4, 30.7 % at 3e-3.
        ranges: activation-range rule; `auto` is `published` at the published schedule and `corrected` when shortened.
    """

    student_rate: float = 1e-3
    ranges: Literal["auto", "published", "corrected"] = "auto"


class LabelledStudent(QuantizedStudent):
    """Cross-entropy with the labels."""

    def losses(self, batch: Batch) -> Mapping[str, Tensor]:
        return {"cross_entropy": cross_entropy(self.answer(batch), batch.labels)}


class FineTuning(Method):
    card = Card(
        name="finetune",
        version="2",
        title="fine-tuning on training data",
        citation="R. Krishnamoorthi, Quantizing deep convolutional networks for efficient inference, 2018",
        schedule=Schedule(phases=(Phase(WARMUP, 1, updates=False), Phase("train", 99)), batch=128, milestones=(50, 75)),
        data="train",
        feedback=False,
        options=Options,
    )

    def source(self, setup: Setup) -> LabelledImages:
        return LabelledImages(setup)

    def learner(self, setup: Setup) -> LabelledStudent:
        return LabelledStudent(setup)


METHOD = FineTuning

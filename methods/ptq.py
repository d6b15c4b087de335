"""Post-training quantization: activation ranges are calibrated and nothing is trained.

The floor beside data-free methods: the same quantizer and the same number of observations, from images of GDFQ's
generator or from a few real ones (Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference",
2018, section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from bench.method import Card, Method, Setup, Source
from bench.schedule import Phase, Schedule
from methods.finetune import LabelledStudent
from methods.gdfq import GDFQ, GeneratedImages
from methods.parts.images import LabelledImages
from methods.parts.student import WARMUP

FEW = 1024
"""Real images that ranges are calibrated with."""


@dataclass(frozen=True)
class Options:
    """Where ranges come from.

    Attributes:
        images: `generated`, by GDFQ's generator as it learns; or `real`, 1024 training images, cropped and flipped.
        statistics: weight of the generator's batch-norm statistics loss. generator_rate: its learning rate.
        ranges: activation-range rule; `auto` is `published` at the published schedule and `corrected` when shortened.
    """

    images: Literal["generated", "real"] = "generated"
    statistics: float = 0.1
    generator_rate: float = 1e-3
    ranges: Literal["auto", "published", "corrected"] = "auto"

    @property
    def student_rate(self) -> float:
        """Nothing is trained."""
        return 0.0


class PTQ(Method):
    card = Card(
        name="ptq",
        version="1",
        title="post-training quantization",
        citation="R. Krishnamoorthi, Quantizing deep convolutional networks for efficient inference, 2018",
        schedule=Schedule(phases=(Phase(WARMUP, 4, updates=False),), batch=200, steps=200),
        data="none",
        feedback=False,
        options=Options,
    )

    def settled(self, options: Options) -> Card:
        return replace(self.card, data="calibration") if options.images == "real" else self.card

    def version(self, options: Options) -> str:
        own = super().version(options)
        return own if options.images == "real" else f"{own}+{GDFQ().version(options)}"

    def source(self, setup: Setup) -> Source:
        if setup.options.images == "real":
            return LabelledImages(replace(setup, images=lambda: few(setup)))
        return GeneratedImages(setup)

    def learner(self, setup: Setup) -> LabelledStudent:
        return LabelledStudent(setup)


def few(setup: Setup) -> tuple[Tensor, Tensor]:
    """Training images uint8 (1024, H, W, 3) and their labels, chosen by the seed."""
    images, labels = setup.images()
    chosen = torch.randperm(len(labels), generator=setup.stream("calibration"))[:FEW].to(labels.device)
    return images[chosen], labels[chosen]


METHOD = PTQ

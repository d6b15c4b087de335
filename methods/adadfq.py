"""AdaDFQ: the generator seeks images on which tutor and student neither wholly agree nor wholly disagree.

Qian, Wang, Hong, Wang, "Adaptive Data-Free Quantization", CVPR 2023.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, relu

from bench.method import Batch, Card, Method, Setup
from bench.quant.convert import tracking
from bench.schedule import Step
from methods.parts.generated import Drawn, GeneratorSource
from methods.parts.precision import widened
from methods.parts.student import WARMUP, QuantizedStudent, published

SMALLEST_ROOM = 1e-12
"""Below this, the room between a batch's lowest entropy and log C counts as none (student equals tutor)."""


@dataclass(frozen=True)
class Options:
    """Constants of the published program for CIFAR.

    Attributes:
        disagreement, agreement: weights of the two cross-entropies (a_ds, a_as) within the balance.
        lower, upper: bounds of the normalised entropy (lambda_l, lambda_u).
        balance, statistics: weights of the balance and of the batch-norm statistics loss (beta, gamma).
        temperature: of the student's loss, whose weight is its square.
        student_rate, generator_rate: initial learning rates.
        batch, epochs: of the published schedule; 200 and 200 are what AKT compares itself with.
        ranges: activation-range rule; `auto` is `published` at the published schedule and `corrected` when shortened.
    """

    disagreement: float = 0.2
    agreement: float = 0.1
    lower: float = 0.1
    upper: float = 0.8
    balance: float = 1.0
    statistics: float = 1.0
    temperature: float = 20.0
    student_rate: float = 1e-4
    generator_rate: float = 1e-3
    batch: int = 16
    epochs: int = 400
    ranges: Literal["auto", "published", "corrected"] = "auto"


class AdaptiveImages(GeneratorSource):
    """Adaptability of samples, sought by the generator through both networks (eq. 5-11)."""

    def ask(self, step: Step, images: Tensor, student: nn.Module) -> Tensor:
        with tracking(student) if step.phase == WARMUP else nullcontext():
            return widened(student(images))

    def objective(self, drawn: Drawn) -> tuple[Tensor, Mapping[str, Tensor]]:
        options, logits, labels, answer = self.options, drawn.logits, drawn.labels, drawn.answer
        assert answer is not None
        disagreement = cross_entropy(logits - answer, labels)
        agreement = cross_entropy(logits + answer, labels)
        balance = options.disagreement * disagreement + options.agreement * agreement
        boundary = margin(entropy(logits - answer), math.log(logits.shape[1]), options.lower, options.upper)
        total = boundary + options.balance * balance + options.statistics * drawn.statistics
        named = {"disagreement": disagreement, "agreement": agreement, "margin": boundary}
        return total, named | {"statistics": drawn.statistics}


def entropy(logits: Tensor) -> Tensor:
    """Entropy (B,), in nats, of the softmax of logits (B, C)."""
    logs = log_softmax(logits, dim=1)
    return -(logs.exp() * logs).sum(dim=1)


def margin(entropies: Tensor, highest: float, lower: float, upper: float) -> Tensor:
    """How far entropies (B,) stray out of [lower, upper], once the batch's least is 0 and `highest` is 1; a scalar.

    Gradients reach the least one too, as in the published program.
    """
    least = entropies.min()
    normalised = (entropies - least) / (highest - least).clamp_min(SMALLEST_ROOM)
    return relu(lower - normalised).mean() + relu(normalised - upper).mean()


class AdaDFQStudent(QuantizedStudent):
    """The student's logits approach the tutor's, but for a constant: labels are not used (eq. 12).

    The loss is -temperature^2 times the entropy of the softened difference of logits. It is never below
    -temperature^2 * log(classes); what is logged and descended is the excess over that bound.
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.options = setup.options

    def losses(self, batch: Batch) -> Mapping[str, Tensor]:
        return {"disagreement": excess(batch.logits, self.answer(batch), self.options.temperature)}


def excess(tutor: Tensor, student: Tensor, temperature: float) -> Tensor:
    """temperature^2 * (log C - mean entropy of softmax((tutor - student) / temperature)) of logits (B, C)."""
    entropies = entropy((tutor - student) / temperature)
    return temperature**2 * (math.log(tutor.shape[1]) - entropies).mean()


class AdaDFQ(Method):
    card = Card(
        name="adadfq",
        version="3",
        title="AdaDFQ (Qian et al., CVPR 2023)",
        citation="B. Qian et al., Adaptive Data-Free Quantization, CVPR 2023",
        schedule=published(epochs=400, batch=16),
        data="none",
        feedback=True,
        options=Options,
    )

    def settled(self, options: Any) -> Card:
        return replace(self.card, schedule=published(options.epochs, options.batch))

    def source(self, setup: Setup) -> AdaptiveImages:
        return AdaptiveImages(setup)

    def learner(self, setup: Setup) -> AdaDFQStudent:
        return AdaDFQStudent(setup)


METHOD = AdaDFQ

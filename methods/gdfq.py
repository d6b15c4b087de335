"""GDFQ: a generator learns images that a full-precision network finds plausible; a quantized student learns from them.

Xu, Li, Zhuang, Liu, Cao, Liang, Tan, "Generative Low-bitwidth Data Free Quantization", ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from bench.method import Batch, Card, Method, Setup
from methods.parts.generated import Drawn, GeneratorSource
from methods.parts.student import QuantizedStudent, published


@dataclass(frozen=True)
class Options:
    """Constants of the published program.

    Attributes:
        temperature: of distillation, applied to both networks' logits.
        distillation: weight of the distillation term, before the factor temperature^2.
        statistics: weight of the batch-norm statistics loss.
        student_rate, generator_rate: initial learning rates.
        ranges: activation-range rule; `auto` is `published` at the published schedule and `corrected` when shortened.
    """

    temperature: float = 20.0
    distillation: float = 1.0
    statistics: float = 0.1
    student_rate: float = 1e-4
    generator_rate: float = 1e-3
    ranges: Literal["auto", "published", "corrected"] = "auto"


class GeneratedImages(GeneratorSource):
    """The generator learns from the frozen full-precision network alone (eq. 4-6)."""

    def objective(self, drawn: Drawn) -> tuple[Tensor, Mapping[str, Tensor]]:
        plausible = cross_entropy(drawn.logits, drawn.labels)
        total = plausible + self.options.statistics * drawn.statistics
        return total, {"cross_entropy": plausible, "statistics": drawn.statistics}


class GDFQStudent(QuantizedStudent):
    """Cross-entropy with the conditioning labels, and distillation (eq. 7-9)."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.options = setup.options

    def losses(self, batch: Batch) -> Mapping[str, Tensor]:
        logits = self.answer(batch)
        return {
            "cross_entropy": cross_entropy(logits, batch.labels),
            "distillation": self.options.distillation * distillation(batch.logits, logits, self.options.temperature),
        }


def distillation(tutor: Tensor, student: Tensor, temperature: float) -> Tensor:
    """temperature^2 * KL(tutor || student) of softened logits (B, C), averaged over B *and C*.

    The published program divides by C too (PyTorch's "mean" reduction), which makes the term C times weaker than
    the usual batch mean.
    """
    p, q = log_softmax(tutor / temperature, 1), log_softmax(student / temperature, 1)
    return temperature**2 * kl_div(q, p, reduction="sum", log_target=True) / tutor.numel()


class GDFQ(Method):
    card = Card(
        name="gdfq",
        version="3",
        title="GDFQ (Xu et al., ECCV 2020)",
        citation="S. Xu et al., Generative Low-bitwidth Data Free Quantization, ECCV 2020",
        schedule=published(epochs=400, batch=200),
        data="none",
        feedback=False,
        options=Options,
    )

    def source(self, setup: Setup) -> GeneratedImages:
        return GeneratedImages(setup)

    def learner(self, setup: Setup) -> GDFQStudent:
        return GDFQStudent(setup)


METHOD = GDFQ

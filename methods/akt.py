"""AKT: attention-guided feature distillation on top of a data-free method.

"Advanced Knowledge Transfer: Refined Feature Distillation for Zero-Shot Quantization in Edge Computing", ACM SAC 2025.
Its feature loss was published with code in which it is identically zero; see `form`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from bench.method import Batch, Card, Learner, Method, Setup, Source
from bench.schedule import Schedule
from bench.spec import Cell
from methods.adadfq import AdaDFQ
from methods.gdfq import GDFQ
from methods.hast import HAST
from methods.parts.attention import channel_softmax, spatial_energy
from methods.parts.generated import GeneratorSource
from methods.parts.student import Losses, QuantizedStudent, lasting, published
from methods.parts.taps import Taps, lacks_bodies, residual_bodies

BASES: Mapping[str, Method] = {"gdfq": GDFQ(), "hast": HAST(), "adadfq": AdaDFQ()}


@dataclass(frozen=True)
class Options:
    """What is built on, and how.

    Attributes:
        base: the method whose student gains the feature loss.
        form: 0, no feature loss, which is what the released program computes: a control; 1, its evident intent:
            `weight` times the divergences, summed over batch and layers, beside the base's losses; 2, the paper's
            average: half the base's losses and half the divergences times `weight`, their mean over batch and layers.
        temperature: of the attention maps. weight: of the feature loss.
        batch, epochs: 0 for the released program's 200 and 200 over `adadfq`, for the base's own over the others.
        perturbed: over `hast`, whether the feature loss takes part in finding the perturbation, too.
        ranges: activation-range rule; `auto` is `published` at the published schedule and `corrected` when shortened.
    """

    base: Literal["gdfq", "hast", "adadfq"] = "adadfq"
    form: Literal[0, 1, 2] = 1
    temperature: float = 8.0
    weight: float = 1000.0
    batch: int = 0
    epochs: int = 0
    perturbed: bool = False
    ranges: Literal["auto", "published", "corrected"] = "auto"

    @property
    def schedule(self) -> Schedule:
        """The base's schedule with batch and epochs as asked."""
        own = published(200, 200) if self.base == "adadfq" else BASES[self.base].card.schedule
        return lasting(own, self.epochs or own.epochs, self.batch or own.batch)


class FeatureDistillation:
    """Divergence of a student's attention maps from the tutor's, at the bodies of the residual units.

    The tutor's maps come detached with the batch, from the pass that drew it; the student's are those of its latest
    pass, the one that learns. No gradient reaches the tutor or the generator.
    """

    def __init__(self, student: QuantizedStudent, options: Options) -> None:
        self.taps, self.options = Taps(residual_bodies(student.model)), options

    def __call__(self, batch: Batch, losses: Losses) -> Losses:
        maps = list(zip(batch.features, self.taps.take(), strict=True))
        total = torch.stack([self._divergence(tutor, student) for tutor, student in maps]).sum()
        if self.options.form == 1:
            return {**losses, "features": self.options.weight * total}
        mean = total / (len(maps) * len(batch.labels))
        return {name: 0.5 * loss for name, loss in losses.items()} | {"features": 0.5 * self.options.weight * mean}

    def _divergence(self, tutor: Tensor, student: Tensor) -> Tensor:
        along = attention_divergence(channel_softmax(tutor), channel_softmax(student), self.options.temperature)
        across = attention_divergence(spatial_energy(tutor), spatial_energy(student), self.options.temperature)
        return along + across


def attention_divergence(tutor: Tensor, student: Tensor, temperature: float) -> Tensor:
    """KL(tutor || student) of attention maps (B, n) as softened distributions over n, summed over B."""
    p, q = log_softmax(tutor / temperature, 1), log_softmax(student / temperature, 1)
    return kl_div(q, p, reduction="sum", log_target=True)


class AKT(Method):
    card = Card(
        name="akt",
        version="2",
        title="AKT (ACM SAC 2025)",
        citation="Advanced Knowledge Transfer: Refined Feature Distillation for Zero-Shot Quantization in Edge "
        "Computing, ACM SAC 2025",
        schedule=published(epochs=200, batch=200),
        data="none",
        feedback=True,
        options=Options,
    )

    def settled(self, options: Options) -> Card:
        return replace(self.card, schedule=options.schedule, feedback=BASES[options.base].card.feedback)

    def version(self, options: Options) -> str:
        base = BASES[options.base]
        return f"{super().version(options)}+{base.version(base.card.options())}"

    def source(self, setup: Setup) -> Source:
        source = BASES[setup.options.base].source(_of_base(setup))
        if setup.options.form and isinstance(source, GeneratorSource):  # HAST's learner runs its tutor itself
            source.taps = Taps(residual_bodies(source.tutor.model))
        return source

    def learner(self, setup: Setup) -> Learner:
        options = setup.options
        student = BASES[options.base].learner(_of_base(setup))
        student.watch_gradients()
        if options.form:
            student.follow(FeatureDistillation(student, options), perturbing=options.perturbed)
        return student

    def declines(self, cell: Cell) -> str | None:
        if cell.options["perturbed"] and cell.options["base"] != "hast":
            return "option perturbed is of base 'hast' alone, which perturbs its samples"
        return lacks_bodies(cell.model)


def _of_base(setup: Setup) -> Setup:
    """The setup with the base's own options."""
    own: Any = BASES[setup.options.base].card.options
    return replace(setup, options=own(ranges=setup.options.ranges))


METHOD = AKT

"""GDFQ: a generator learns images that a full-precision network finds plausible; a quantized student learns from them.

Xu, Li, Zhuang, Liu, Cao, Liang, Tan, "Generative Low-bitwidth Data Free Quantization", ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from bench.method import Batch, Card, Method, Setup, Source, State
from bench.schedule import Phase, Schedule, Step
from methods.parts.bn_statistics import WatchedTutor
from methods.parts.generator import LATENT, Generator
from methods.parts.precision import widened
from methods.parts.student import WARMUP, QuantizedStudent


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


class GeneratedImages(Source):
    """The generator and what it learns from the frozen full-precision network (eq. 4-6)."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.options = setup, setup.options
        with setup.seeded("generator"):
            self.generator = Generator(setup.classes).to(setup.device, memory_format=torch.channels_last)
        self.tutor = WatchedTutor(setup.model("tutor"))
        self.adam = torch.optim.Adam(self.generator.parameters(), lr=self.options.generator_rate, betas=(0.5, 0.999))
        self.random = setup.stream("noise")

    def draw(self, step: Step, student: nn.Module) -> Batch:
        """Images, and the tutor's logits for them, from before this step's update of the generator."""
        noise, labels = self._noise()
        with self.setup.autocast():
            images = self.generator(noise, labels)
            logits, statistics = self.tutor(images)
        logits = widened(logits)
        plausible = cross_entropy(logits, labels)
        self._descend(step, plausible + self.options.statistics * statistics)
        self.last = {"cross_entropy": plausible.detach(), "statistics": statistics.detach()}
        return Batch(images.detach(), labels, logits.detach())

    def _noise(self) -> tuple[Tensor, Tensor]:
        batch, device = self.setup.schedule.batch, self.setup.device
        noise = torch.randn(batch, LATENT, generator=self.random)
        labels = torch.randint(self.setup.classes, (batch,), generator=self.random)
        return noise.to(device), labels.to(device)

    def _descend(self, step: Step, loss: Tensor) -> None:
        for group in self.adam.param_groups:
            group["lr"] = self.options.generator_rate * self.setup.schedule.decay(step.epoch)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()

    def losses(self) -> Mapping[str, Tensor]:
        return self.last

    def state(self) -> State:
        generator, adam = self.generator.state_dict(), self.adam.state_dict()
        return {"generator": generator, "adam": adam, "noise": self.random.get_state()}

    def load(self, state: State) -> None:
        self.generator.load_state_dict(state["generator"])
        self.adam.load_state_dict(state["adam"])
        self.random.set_state(state["noise"].cpu())  # a checkpoint is loaded onto the device


class GDFQStudent(QuantizedStudent):
    """Cross-entropy with the conditioning labels, and distillation (eq. 7-9)."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.options = setup.options

    def losses(self, batch: Batch) -> Mapping[str, Tensor]:
        with self.autocast():
            logits = widened(self.model(batch.images))
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
        version="1",
        title="GDFQ (Xu et al., ECCV 2020)",
        citation="S. Xu et al., Generative Low-bitwidth Data Free Quantization, ECCV 2020",
        schedule=Schedule(
            phases=(Phase(WARMUP, 4, updates=False), Phase("train", 396)),
            batch=200,
            steps=200,
            milestones=(100, 200, 300),
        ),
        data="none",
        feedback=False,
        options=Options,
    )

    def source(self, setup: Setup) -> GeneratedImages:
        return GeneratedImages(setup)

    def learner(self, setup: Setup) -> GDFQStudent:
        return GDFQStudent(setup)


METHOD = GDFQ

"""HAST: a quantized student learns from stored images that are hard to learn, each made harder still before it does.

Li, Wu, Lv, Liao, Li, Zhang, Han, Tan, "Hard Sample Matters a Lot in Zero-Shot Quantization", CVPR 2023.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax

from bench.method import Batch, Card, Method, Setup, Source, State
from bench.quant.convert import tracking
from bench.schedule import Phase, Schedule, Step
from bench.spec import Cell
from methods.gdfq import GDFQ, GeneratedImages
from methods.parts import synthesis
from methods.parts.attention import channel_energy
from methods.parts.precision import widened
from methods.parts.stored_images import StoredImages
from methods.parts.student import WARMUP, Losses, QuantizedStudent, Strategy
from methods.parts.synthesis import Recipe, hard_images
from methods.parts.taps import Taps, lacks_bodies, residual_bodies

CALIBRATION_BATCH = 16
"""Images that activation ranges see at once, from a generator."""


@dataclass(frozen=True)
class Options:
    """Constants of the published program as it runs.

    It never reads the CIFAR-100 values of its own configuration, alignment = 2000 and epsilon = 0.02: give them for
    the method as configured. alignment = 0 and epsilon = 0 take the two ideas of its training away.

    Attributes:
        beta, gamma: weight and focus of the classification loss of the images' synthesis.
        temperature: of distillation. distillation: its weight, before the factor temperature^2.
        alignment: weight of feature alignment.
        epsilon: step that makes a sample harder, in units of normalised input.
        statistics: weight of the batch-norm statistics loss of the generator that ranges are calibrated with.
        student_rate, generator_rate: initial learning rates.
        ranges: activation-range rule; `auto` is `published` at the published schedule and `corrected` when shortened.
    """

    beta: float = 10.0
    gamma: float = 2.0
    temperature: float = 20.0
    distillation: float = 20.0
    alignment: float = 1000.0
    epsilon: float = 0.01
    statistics: float = 0.1
    student_rate: float = 1e-5
    generator_rate: float = 1e-3
    ranges: Literal["auto", "published", "corrected"] = "auto"


class HASTImages(Source):
    """A generator's images, 16 at a time, while ranges are calibrated; then the stored hard ones."""

    def __init__(self, setup: Setup, recipe: Recipe) -> None:
        self.generated = GeneratedImages(replace(setup, schedule=replace(setup.schedule, batch=CALIBRATION_BATCH)))
        self.stored = StoredImages(setup, *hard_images(setup, recipe))
        self.drawn: Mapping[str, Tensor] = {}

    def draw(self, step: Step, student: nn.Module) -> Batch:
        if step.phase != WARMUP:
            self.drawn = {}
            return self.stored.draw(step, student)
        batch = self.generated.draw(step, student)
        self.drawn = self.generated.losses()
        return batch

    def losses(self) -> Mapping[str, Tensor]:
        return self.drawn

    def state(self) -> State:
        return {"generated": self.generated.state(), "stored": self.stored.state()}

    def load(self, state: State) -> None:
        self.generated.load(state["generated"])
        self.stored.load(state["stored"])


class HASTStudent(QuantizedStudent):
    """Distillation and feature alignment, on the samples as they are and on the same made harder.

    Labels are not used: the published program computes a cross-entropy and leaves it out of the loss.
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.options = setup.options
        self.tutor = setup.model("tutor").eval().requires_grad_(False)
        self.tutor_maps, self.student_maps = (Taps(residual_bodies(model)) for model in (self.tutor, self.model))
        self.further: Strategy = lambda batch, losses: losses
        self.perturbing = False

    def follow(self, strategy: Strategy, perturbing: bool = False) -> None:
        """Descend, from now on, what `strategy` makes of the samples as they are: of them and of their losses.

        It gets the batch with the tutor's logits and maps, detached, right after the student's pass over it. Where
        `perturbing`, samples are made harder by its losses too.
        """
        self.further, self.perturbing = strategy, perturbing

    def learn(self, step: Step, batch: Batch) -> Mapping[str, Tensor]:
        if step.phase == WARMUP:  # ranges observe every batch once
            with torch.no_grad(), tracking(self.model):
                told, losses = self.aligned(batch)
                return self.further(told, losses)
        return super().learn(step, batch)

    def losses(self, batch: Batch) -> Losses:
        images = batch.images.detach().requires_grad_()
        told, plain = self.aligned(replace(batch, images=images))
        clean = self.further(told, plain)
        harder = promoted(images, total(clean if self.perturbing else plain), self.options.epsilon)
        _, again = self.aligned(replace(batch, images=harder))
        return {**clean, **{f"promoted_{name}": loss for name, loss in again.items()}}

    def aligned(self, batch: Batch) -> tuple[Batch, Losses]:
        """One pass of both networks: the batch with the tutor's logits and maps, detached, and the student's losses.

        Where images require a gradient, the losses' reaches them through both networks.
        """
        with self.autocast():
            logits, answer = widened(self.tutor(batch.images)), widened(self.model(batch.images))
        maps = self.tutor_maps.take()
        losses = {
            "distillation": self.options.distillation * distillation(logits, answer, self.options.temperature),
            "alignment": self.options.alignment * misalignment(maps, self.student_maps.take()),
        }
        return replace(batch, logits=logits.detach(), features=tuple(f.detach() for f in maps)), losses


def distillation(tutor: Tensor, student: Tensor, temperature: float) -> Tensor:
    """temperature^2 * KL(tutor || student) of softened logits (B, C), averaged over B."""
    p, q = log_softmax(tutor / temperature, 1), log_softmax(student / temperature, 1)
    return temperature**2 * kl_div(q, p, reduction="batchmean", log_target=True)


def misalignment(tutor: tuple[Tensor, ...], student: tuple[Tensor, ...]) -> Tensor:
    """Mean squared difference of the channels' energies, summed over feature maps (B, c, H, W)."""
    pairs = zip(tutor, student, strict=True)
    return torch.stack([(channel_energy(s) - channel_energy(t)).square().mean() for t, s in pairs]).sum()


def promoted(images: Tensor, loss: Tensor, epsilon: float) -> Tensor:
    """Images moved by `epsilon` in every pixel, in the direction in which `loss` rises; detached, not clipped.

    The loss keeps its graph, for the step that descends it.
    """
    (slope,) = torch.autograd.grad(loss, images, retain_graph=True)
    return (images + epsilon * slope.sign()).detach()


def total(losses: Losses) -> Tensor:
    """Sum of losses by name."""
    return torch.stack(list(losses.values())).sum()


class HAST(Method):
    card = Card(
        name="hast",
        version="2",
        title="HAST (Li et al., CVPR 2023)",
        citation="H. Li et al., Hard Sample Matters a Lot in Zero-Shot Quantization, CVPR 2023",
        schedule=Schedule(
            phases=(Phase(WARMUP, 4, updates=False), Phase("train", 147)),
            batch=64,
            steps=200,
            milestones=(20, 40, 60),
        ),
        data="none",
        feedback=False,
        options=Options,
    )

    def version(self, options: Any) -> str:
        return f"{super().version(options)}+images-{synthesis.VERSION}+{GDFQ().version(options)}"

    def declines(self, cell: Cell) -> str | None:
        return lacks_bodies(cell.model)

    def recipe(self, setup: Setup) -> Recipe:
        """What the images are made by: as published, with fewer steps and parts where the schedule is shorter.

        Steps are shortened as the epochs are (`quick` 40, `smoke` 13 of 1000); of the 20 parts no more are made than
        training draws images from (`smoke` 5).
        """
        schedule, options = setup.schedule, setup.options
        share = min(1.0, schedule.epochs / self.card.schedule.epochs)
        trained = sum(phase.epochs for phase in schedule.phases if phase.updates)
        drawn = trained * (schedule.total // schedule.epochs) * schedule.batch
        parts = min(synthesis.PARTS, math.ceil(drawn / synthesis.BATCH))
        return Recipe(options.beta, options.gamma, max(1, round(share * synthesis.ITERATIONS)), parts)

    def source(self, setup: Setup) -> HASTImages:
        return HASTImages(setup, self.recipe(setup))

    def learner(self, setup: Setup) -> HASTStudent:
        return HASTStudent(setup)


METHOD = HAST

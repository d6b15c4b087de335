"""QKD: a quantized student studies alone, then together with a full-precision tutor, then is tutored.

Kim, Bhalgat, Lee, Patel, Kwak, "QKD: Quantization-aware Knowledge Distillation", arXiv 1911.12491, 2019.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from bench.errors import OptionInvalid
from bench.method import Batch, Card, Learner, Method, Setup, State
from bench.quant.learned import SMALLEST_STEP
from bench.quant.steps import input_steps, learn_steps, set_input_steps, weight_steps
from bench.schedule import Phase, Schedule, Step
from bench.spec import Cell
from methods.parts.annealing import AnnealedSGD, Groups, groups, progress_within
from methods.parts.images import LabelledImages
from methods.parts.precision import widened

SELF_STUDY, CO_STUDY, TUTORING = "self-study", "co-study", "tutoring"
FIRST_BATCHES = 8
QUANTIZER = "symmetric per-tensor / per-tensor, learned steps"


@dataclass(frozen=True)
class Options:
    """The recipe; at 32 bits it trains the student in full precision, against which recovery is judged.

    Attributes:
        self_study, co_study, tutoring: epochs of the three phases; a phase of none is left out. 200/0/0 is plain
            quantization-aware training and 0/0/200 distillation from a fixed tutor.
        tutor: network that the student learns from.
        temperature: of distillation, both ways.
        rate, tutor_rate: initial learning rates, each annealed to zero along a cosine.
        step_gradient: `scaled` as in LSQ, at `rate`; `plain`, at rates of its own for steps of weights and of inputs.
        weight_step_rate, input_step_rate: those rates.
        first_step: rule of the first steps; `auto` is `lsq` up to 3 bits and `max` above.
        first_last_bits: width of the first and the last layer, weights and inputs; 0 for that of all others.
    """

    self_study: int = 30
    co_study: int = 100
    tutoring: int = 70
    tutor: Literal["resnet56", "resnet110", "resnet20"] = "resnet56"
    temperature: float = 2.0
    rate: float = 1e-2
    tutor_rate: float = 1e-2
    step_gradient: Literal["scaled", "plain"] = "scaled"
    weight_step_rate: float = 1e-4
    input_step_rate: float = 1e-2
    first_step: Literal["auto", "max", "lsq"] = "auto"
    first_last_bits: Literal[0, 8] = 0


class StudyingPair(Learner):
    """The student and its tutor, each with an optimiser of its own. Their batch norms train with them."""

    def __init__(self, setup: Setup) -> None:
        self.options, self.schedule, self.autocast = setup.options, setup.schedule, setup.autocast
        self.model = setup.model("init")
        if not setup.cell.bits.full:
            self._quantize(setup)
        self.steps = [*weight_steps(self.model), *input_steps(self.model)]
        self.sgd = AnnealedSGD(self._groups())
        self.tutor = setup.model("tutor")
        self.tutor_sgd = AnnealedSGD(groups(self.tutor, self.options.tutor_rate))

    def _quantize(self, setup: Setup) -> None:
        """Steps of weights start from the weights, those of inputs from the batches that training begins with."""
        ends, rule = self.options.first_last_bits or None, self.options.first_step
        scaled = self.options.step_gradient == "scaled"
        learn_steps(self.model, setup.cell.bits, ends=ends, rule=rule, scaled=scaled)
        set_input_steps(self.model, first_images(setup), rule)

    def _groups(self) -> Groups:
        if self.options.step_gradient == "scaled":
            return groups(self.model, self.options.rate)
        weights = {"params": weight_steps(self.model), "lr": self.options.weight_step_rate}
        inputs = {"params": input_steps(self.model), "lr": self.options.input_step_rate}
        return [*groups(self.model, self.options.rate, without=self.steps), weights, inputs]

    def learn(self, step: Step, batch: Batch) -> Mapping[str, Tensor]:
        losses = self.losses(step.phase, batch)
        self.sgd.zero_grad()
        self.tutor_sgd.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # both gradients are of the networks before this step
        self.sgd.descend(step.progress)
        self._keep_steps_positive()
        if step.phase == CO_STUDY:
            self.tutor_sgd.descend(progress_within(self.schedule, step))
        return {name: loss.detach() for name, loss in losses.items()}

    def losses(self, phase: str, batch: Batch) -> Mapping[str, Tensor]:
        """Losses of a phase by name; each network learns from the other as it stands."""
        student = self._logits(self.model.train(), batch)
        losses = {"cross_entropy": cross_entropy(student, batch.labels)}
        if phase == SELF_STUDY:
            return losses
        with torch.set_grad_enabled(phase == CO_STUDY):
            tutor = self._logits(self.tutor.train(phase == CO_STUDY), batch)
        losses["distillation"] = distillation(tutor.detach(), student, self.options.temperature)
        if phase == CO_STUDY:
            losses["tutor_cross_entropy"] = cross_entropy(tutor, batch.labels)
            losses["tutor_distillation"] = distillation(student.detach(), tutor, self.options.temperature)
        return losses

    def _logits(self, network: nn.Module, batch: Batch) -> Tensor:
        with self.autocast():
            return widened(network(batch.images))

    @torch.no_grad()
    def _keep_steps_positive(self) -> None:
        for step in self.steps:
            step.clamp_(min=SMALLEST_STEP)

    def student(self) -> nn.Module:
        return self.model.eval()

    def state(self) -> State:
        student = {"model": self.model.state_dict(), "sgd": self.sgd.state_dict()}
        return student | {"tutor": self.tutor.state_dict(), "tutor_sgd": self.tutor_sgd.state_dict()}

    def load(self, state: State) -> None:
        self.model.load_state_dict(state["model"])
        self.sgd.load_state_dict(state["sgd"])
        self.tutor.load_state_dict(state["tutor"])
        self.tutor_sgd.load_state_dict(state["tutor_sgd"])


def distillation(teacher: Tensor, learner: Tensor, temperature: float) -> Tensor:
    """temperature^2 * KL(teacher || learner) of softened logits (B, C), averaged over B."""
    p, q = log_softmax(teacher / temperature, 1), log_softmax(learner / temperature, 1)
    return temperature**2 * kl_div(q, p, reduction="batchmean", log_target=True)


def first_images(setup: Setup) -> Iterator[Tensor]:
    """The images of the first batches that the source will draw."""
    source = LabelledImages(setup)
    return (source.draw(step, nn.Identity()).images for step in islice(setup.schedule.walk(), FIRST_BATCHES))


def phases(options: Options) -> tuple[Phase, ...]:
    """The phases that have epochs.

    Raises:
        OptionInvalid: for fewer than no epochs, or none at all.
    """
    epochs = {SELF_STUDY: options.self_study, CO_STUDY: options.co_study, TUTORING: options.tutoring}
    if min(epochs.values()) < 0 or not any(epochs.values()):
        told = ", ".join(f"{name} {count}" for name, count in epochs.items())
        raise OptionInvalid(f"qkd needs phases of no fewer than 0 epochs and one with more, not {told}")
    return tuple(Phase(name, count) for name, count in epochs.items() if count)


class QKD(Method):
    card = Card(
        name="qkd",
        version="1",
        title="QKD (Kim et al., 2019), our reading",
        citation="J. Kim et al., QKD: Quantization-aware Knowledge Distillation, arXiv 1911.12491, 2019",
        schedule=Schedule(phases=phases(Options()), batch=128),
        data="train",
        feedback=False,
        options=Options,
        tutor=Options.tutor,
        quantizer=QUANTIZER,
        full=True,
        reading="the three phases and their purpose are the paper's; epochs, rates, temperature and equal loss weights "
        "are second hand; quantizer, first steps, first and last layer, decay and networks are our reading",
    )

    def settled(self, options: Options) -> Card:
        quantizer = f"{QUANTIZER}, first and last 8 bits" if options.first_last_bits else QUANTIZER
        tutor = options.tutor if options.co_study or options.tutoring else ""
        schedule = replace(self.card.schedule, phases=phases(options))
        return replace(self.card, schedule=schedule, tutor=tutor, quantizer=quantizer)

    def declines(self, cell: Cell) -> str | None:
        if cell.bits.full and cell.options.get("first_last_bits"):
            return "at 32 bits no layer is quantized, so that first_last_bits=8 would not be what it says"
        return None

    def source(self, setup: Setup) -> LabelledImages:
        return LabelledImages(setup)

    def learner(self, setup: Setup) -> StudyingPair:
        return StudyingPair(setup)


METHOD = QKD

"""Images from a generator that is trained while it draws them: what the sources of the GDFQ family share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.method import Batch, Setup, Source, State
from bench.schedule import Step
from methods.parts.bn_statistics import WatchedTutor
from methods.parts.generator import LATENT, Generator
from methods.parts.precision import widened
from methods.parts.taps import Taps


@dataclass(frozen=True)
class Drawn:
    """Fresh images and what the networks say of them, with the graph back to the images.

    Attributes:
        images: (B, 3, H, W). labels: int64 (B,), which conditioned the generator.
        logits: the tutor's, (B, classes). statistics: the batch-norm statistics loss, a scalar.
        answer: the student's logits, (B, classes), where the generator learns from it, too.
    """

    images: Tensor
    labels: Tensor
    logits: Tensor
    statistics: Tensor
    answer: Tensor | None = None


class GeneratorSource(Source):
    """A conditional generator, one Adam step after each batch it draws (Xu et al., ECCV 2020, algorithm 1).

    Adam with betas (0.5, 0.999); learning rate `options.generator_rate`, divided by ten at the schedule's milestones.
    Batches carry the tutor's maps at `taps`, of which there are none unless they are set.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup, self.options = setup, setup.options
        with setup.seeded("generator"):
            self.generator = self.make().to(setup.device, memory_format=torch.channels_last)
        self.tutor = WatchedTutor(setup.model("tutor"))
        self.taps = Taps(())
        rate = self.options.generator_rate
        self.adam = torch.optim.Adam(self.generator.parameters(), lr=rate, betas=(0.5, 0.999), fused=True)
        self.random = setup.stream("noise")

    def make(self) -> nn.Module:
        """The generator, in train mode."""
        return Generator(self.setup.classes)

    @abstractmethod
    def objective(self, drawn: Drawn) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What the generator descends, a scalar, and the losses it is made of by name."""

    def ask(self, step: Step, images: Tensor, student: nn.Module) -> Tensor | None:
        """The student's logits (B, classes), where the objective depends on them; under autocast."""
        return None

    def draw(self, step: Step, student: nn.Module) -> Batch:
        """Images, and the networks' logits for them, from before this step's update of the generator."""
        noise, labels = self._noise()
        with self.setup.autocast():
            generated = self.generator(noise, labels)
            images = generated.detach().requires_grad_()
            logits, statistics = self.tutor(images)
            answer = self.ask(step, images, student)
        features = tuple(map.detach() for map in self.taps.take())
        drawn = Drawn(images, labels, widened(logits), statistics, answer)
        total, losses = self.objective(drawn)
        (slope,) = torch.autograd.grad(total, images, retain_graph=answer is not None)
        self._descend(step, generated, slope)
        self.last = {name: loss.detach() for name, loss in losses.items()}
        return Batch(images.detach(), labels, drawn.logits.detach(), features, answer)

    def _noise(self) -> tuple[Tensor, Tensor]:
        batch, device = self.setup.schedule.batch, self.setup.device
        noise = torch.randn(batch, LATENT, generator=self.random)
        labels = torch.randint(self.setup.classes, (batch,), generator=self.random)
        return noise.to(device), labels.to(device)

    def _descend(self, step: Step, generated: Tensor, slope: Tensor) -> None:
        """Move the generator so that what it gave moves against `slope`."""
        for group in self.adam.param_groups:
            group["lr"] = self.options.generator_rate * self.setup.schedule.decay(step.epoch)
        self.adam.zero_grad()
        generated.backward(slope)
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

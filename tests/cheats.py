"""An adapter that keeps the contract, and others that each break it in one way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

import bench.data.guard
from bench.conformance.standin import standin
from bench.method import Batch, Card, Learner, Method, Setup, Source, State
from bench.quant.convert import quantize, tracking
from bench.quant.layers import QuantizedConv2d
from bench.schedule import Phase, Schedule, Step
from bench.spec import Bits, Cell
from methods.parts.images import LabelledImages
from methods.parts.student import WARMUP, QuantizedStudent


@dataclass(frozen=True)
class Options:
    student_rate: float = 1e-3
    ranges: Literal["auto", "published", "corrected"] = "auto"
    spread: float = 1.0


class RandomImages(Source):
    def __init__(self, setup: Setup) -> None:
        self.setup, self.tutor, self.random = setup, setup.model("tutor"), setup.stream("noise")

    def images(self, step: Step, student: nn.Module) -> Tensor:
        return torch.randn(self.setup.schedule.batch, 3, 32, 32, generator=self.random)

    @torch.no_grad()
    def draw(self, step: Step, student: nn.Module) -> Batch:
        images = self.setup.options.spread * self.images(step, student)
        logits = self.tutor(images)
        return Batch(images, logits.argmax(1), logits)

    def state(self) -> State:
        return {"random": self.random.get_state()}

    def load(self, state: State) -> None:
        self.random.set_state(state["random"])


class Imitator(QuantizedStudent):
    def losses(self, batch: Batch) -> Mapping[str, Tensor]:
        return {"imitation": mse_loss(self.model(batch.images), batch.logits)}


CARD = Card(
    name="honest",
    version="1",
    title="Honest",
    citation="nobody, nowhere",
    schedule=Schedule((Phase(WARMUP, 1, updates=False), Phase("train", 9)), batch=200, steps=200, milestones=(5,)),
    options=Options,
)


class Honest(Method):
    card = CARD
    drawing: ClassVar[type[RandomImages]] = RandomImages
    learning: ClassVar[type[Learner]] = Imitator

    def source(self, setup: Setup) -> Source:
        return self.drawing(setup)

    def learner(self, setup: Setup) -> Learner:
        return self.learning(setup)


class Pupil(Imitator):
    """Learns from another network than it starts from, on labelled images."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.tutor, self.spread = setup.model("tutor"), setup.options.spread

    def losses(self, batch: Batch) -> Mapping[str, Tensor]:
        with torch.no_grad():
            logits = self.tutor(batch.images)
        return {"imitation": self.spread * mse_loss(self.model(batch.images), logits)}


class Tutored(Honest):
    card = replace(CARD, data="train", tutor="resnet32", schedule=replace(CARD.schedule, steps=None))
    learning = Pupil

    def source(self, setup: Setup) -> Source:
        return LabelledImages(setup)


def with_card(**changes: Any) -> Method:
    return type("Cheat", (Honest,), {"card": replace(CARD, **changes)})()


def drawing(images: Callable[..., Tensor] | None = None, **methods: Callable[..., Any]) -> Method:
    """The honest adapter with other methods in its source."""
    changed = methods | ({"images": images} if images else {})
    return type("Cheat", (Honest,), {"drawing": type("Drawing", (RandomImages,), changed)})()


def learning(**methods: Callable[..., Any]) -> Method:
    """The honest adapter with other methods in its learner."""
    return type("Cheat", (Honest,), {"learning": type("Learning", (Imitator,), methods)})()


def declining(declines: Callable[[Method, Cell], Any]) -> Method:
    return type("Cheat", (Honest,), {"declines": declines})()


@dataclass(frozen=True)
class Idle(Options):
    colour: str = "red"


@dataclass(frozen=True)
class Nullable(Options):
    depth: int | None = None


@dataclass
class Thawed:
    student_rate: float = 1e-3
    ranges: str = "corrected"
    spread: float = 1.0


@dataclass(frozen=True)
class Bare:
    depth: int


def honest_learn(self: Imitator, step: Step, batch: Batch) -> Mapping[str, Tensor]:
    return QuantizedStudent.learn(self, step, batch)


def nan(self: Imitator, step: Step, batch: Batch) -> Mapping[str, Tensor]:
    return {**honest_learn(self, step, batch), "extra": torch.tensor(0.0) / 0}


def plain_number(self: Imitator, step: Step, batch: Batch) -> Mapping[str, Any]:
    return dict.fromkeys(honest_learn(self, step, batch), 1.5)


def attached(self: Imitator, step: Step, batch: Batch) -> Mapping[str, Tensor]:
    honest_learn(self, step, batch)
    return self.losses(batch)


def vectors(self: Imitator, step: Step, batch: Batch) -> Mapping[str, Tensor]:
    return {name: loss.expand(3) for name, loss in honest_learn(self, step, batch).items()}


def silent(self: Imitator, step: Step, batch: Batch) -> Mapping[str, Tensor]:
    honest_learn(self, step, batch)
    return {}


def reading(read: Callable[[Tensor], Any]) -> Callable[..., Mapping[str, Tensor]]:
    """`learn` that looks at its loss."""

    def learn(self: Imitator, step: Step, batch: Batch) -> Mapping[str, Tensor]:
        losses = honest_learn(self, step, batch)
        read(losses["imitation"])
        return losses

    return learn


def masking(self: Imitator, step: Step, batch: Batch) -> Mapping[str, Tensor]:
    chosen = batch.labels[batch.labels > 100]
    return {name: loss + chosen.sum() for name, loss in honest_learn(self, step, batch).items()}


def spoiling(self: Imitator, step: Step, batch: Batch) -> Mapping[str, Tensor]:
    losses = honest_learn(self, step, batch)
    batch.images.mul_(0)
    return losses


def global_stream(self: RandomImages, step: Step, student: nn.Module) -> Tensor:
    return torch.randn(self.setup.schedule.batch, 3, 32, 32)


def peeking(self: RandomImages, step: Step, student: nn.Module) -> Tensor:
    weight = next(student.parameters())
    return RandomImages.images(self, step, student) + weight.detach().mean()


def graph_bound(self: RandomImages, step: Step, student: nn.Module) -> Batch:
    images = RandomImages.images(self, step, student).requires_grad_()
    return Batch(images, torch.zeros(len(images), dtype=torch.int64), self.tutor(images))


def opening(split: str) -> Callable[..., Tensor]:
    """Images from a source that opens the file of a split, whatever comes of it."""

    def images(self: RandomImages, step: Step, student: nn.Module) -> Tensor:
        with suppress(Exception):
            standin().file(split).read_bytes()
        return RandomImages.images(self, step, student)

    return images


def asking(self: RandomImages, step: Step, student: nn.Module) -> Tensor:
    return self.setup.images()[0][:8].float()


class Blinding(Honest):
    """Takes the watch over files out of action."""

    def source(self, setup: Setup) -> Source:
        bench.data.guard._active = None
        return super().source(setup)


def forgetful(self: Imitator) -> State:
    return {"model": self.model.state_dict()}


def loaded_without_optimiser(self: Imitator, state: State) -> None:
    self.model.load_state_dict(state["model"])


def with_objects(self: RandomImages) -> State:
    return {"random": self.random.get_state(), "tutor": self.tutor}


def building(build: Callable[[Setup], nn.Module]) -> Method:
    """The honest adapter with a student built otherwise."""

    def start(self: Imitator, setup: Setup) -> None:
        Imitator.__init__(self, setup)
        self.model = build(setup)

    return learning(__init__=start)


def at_other_bits(setup: Setup) -> nn.Module:
    return quantize(setup.model("init"), Bits(4, 4), "corrected")


def first_layer_at_8(setup: Setup) -> nn.Module:
    model = quantize(setup.model("init"), setup.cell.bits, "corrected")
    model.features.init_block.conv.bits = 8
    return model


def last_layer_left(setup: Setup) -> nn.Module:
    model = quantize(setup.model("init"), setup.cell.bits, "corrected")
    model.output.__class__ = nn.Linear
    return model


def activation_left(setup: Setup) -> nn.Module:
    model = quantize(setup.model("init"), setup.cell.bits, "corrected")
    model.features.init_block.activ = nn.ReLU()
    return model


class Fine(QuantizedConv2d):
    def quantized_weight(self) -> Tensor:
        return self.weight


def too_fine(setup: Setup) -> nn.Module:
    model = quantize(setup.model("init"), setup.cell.bits, "corrected")
    model.features.init_block.conv.__class__ = Fine
    return model


def in_train_mode(self: Imitator) -> nn.Module:
    return self.model.train()


class Restless(nn.Module):
    """Widens its ranges whenever it is evaluated."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        with tracking(self.model):
            return self.model(images)


def restless(self: Imitator) -> nn.Module:
    return Restless(self.model).eval()


def refuse_low(self: Method, cell: Cell) -> str | None:
    return "" if cell.bits.w < 3 else None


def refuse_loudly(self: Method, cell: Cell) -> str | None:
    raise ValueError("no such width")


def refuse_all(self: Method, cell: Cell) -> str | None:
    return "it is Sunday"


def break_when_low(self: Imitator, setup: Setup) -> None:
    if setup.cell.bits.w < 3:
        raise ValueError("too few bits")
    Imitator.__init__(self, setup)


CHEATS: dict[str, tuple[Method, str, str]] = {
    "no citation": (with_card(citation=" "), "card", "card.citation: is empty; write authors, title and venue"),
    "unknown tutor": (
        with_card(tutor="resnet21"),
        "card",
        "card.tutor: unknown model 'resnet21'; did you mean resnet32",
    ),
    "unknown data": (with_card(data="some"), "card", "card.data: is 'some'; write one of none, calibration, train"),
    "bad name": (with_card(name="My Method"), "card", "card.name: is 'My Method'; use small letters"),
    "idle option": (with_card(options=Idle), "options", "option colour: changes nothing: no run reads it"),
    "unfitting default": (with_card(options=Nullable), "options", "option depth: refuses its own default"),
    "options that change": (with_card(options=Thawed), "options", "is Thawed, which is no frozen dataclass"),
    "options without defaults": (with_card(options=Bare), "options", "option depth: has no default"),
    "options of any kind": (with_card(options=dict), "options", "is dict, which is no frozen dataclass"),
    "empty reason": (declining(refuse_low), "declines", "resnet20 W2A2 fp32: declines returns ''; return the reason"),
    "declining by error": (
        declining(refuse_loudly),
        "declines",
        "declines raises ValueError .no such width, cheats.py:",
    ),
    "no decline": (learning(__init__=break_when_low), "declines", "W2A2 fp32: is not declined, but raises ValueError"),
    "nan": (learning(learn=nan), "losses", "learn/extra: is nan at step 1"),
    "number": (learning(learn=plain_number), "losses", "learn/imitation: is a float at step 1; return the tensor"),
    "graph": (learning(learn=attached), "losses", "learn/imitation: hangs on a graph at step 1; return loss.detach"),
    "vector": (learning(learn=vectors), "losses", r"learn/imitation: has shape \(3,\) at step 1; reduce it"),
    "no loss": (learning(learn=silent), "losses", "learn: returns no loss at step 1"),
    "global stream": (
        drawing(global_stream),
        "determinism",
        "batch: images, labels, logits differ from step 1 on; draw random",
    ),
    "forgets its stream": (
        drawing(load=lambda self, state: None),
        "resume",
        "batch: loaded after step ., images, labels, logits differ",
    ),
    "forgets its optimiser": (
        learning(state=forgetful, load=loaded_without_optimiser),
        "resume",
        "student: loaded after step ., .* tensors differ at the end",
    ),
    "objects in its state": (drawing(state=with_objects), "resume", "state: holds what a checkpoint cannot"),
    "looks at the student": (drawing(peeking), "sharing", "source: batches depend on what the student has learnt"),
    "never looks": (with_card(feedback=True), "sharing", "card.feedback: says feedback, but batches are the same"),
    "spoils the batch": (learning(learn=spoiling), "sharing", "learn: changed the batch at step 1"),
    "attached batch": (drawing(draw=graph_bound), "sharing", "batch.images: hangs on a graph; detach it"),
    "train mode": (learning(student=in_train_mode), "evaluation", "student: is in train mode"),
    "changes when evaluated": (learning(student=restless), "evaluation", "student: evaluating it changes .* values"),
    "finer weights": (building(too_fine), "census", "features.init_block.conv: a channel has .* values, more than 2.4"),
    "other bits": (building(at_other_bits), "bits", "features.init_block.conv: weight has 4 bits in a cell of W3A5"),
    "unquantized layer": (building(last_layer_left), "bits", "output: Linear is not quantized in a cell of W4A4"),
    "unquantized activation": (building(activation_left), "bits", "init_block.activ: ReLU is not quantized in a cell"),
    "training file": (
        drawing(opening("train")),
        "data",
        "train split: method 'honest' opened .*few-shapes10_train.npz;",
    ),
    "test file": (
        drawing(opening("test")),
        "data",
        "test split: method 'honest' opened .*few-shapes10_test.npz; never",
    ),
    "undeclared images": (drawing(asking), "data", "train split: method 'honest' asked for training images; take"),
    "blinded watch": (Blinding(), "data", "train split: a source that opens its file is not caught"),
    "item": (learning(learn=reading(lambda loss: loss.item())), "sync", r"cheats.py:\d+: learn waits .*Tensor.item"),
    "float": (learning(learn=reading(float)), "sync", r"cheats.py:\d+: learn waits for the device .Tensor.__float__"),
    "comparison": (learning(learn=reading(lambda loss: bool(loss > 1))), "sync", "Tensor.__bool__"),
    "printing": (learning(learn=reading(lambda loss: f"{loss}")), "sync", "Tensor.__format__"),
    "copy": (learning(learn=reading(lambda loss: loss.to("cpu"))), "sync", "Tensor.to"),
    "mask": (learning(learn=masking), "sync", "Tensor.__getitem__"),
}
"""By name: the adapter, the check that must fail, and what it must say."""

"""The contract between the harness and a method: card, source, learner, and what a method is given."""

from __future__ import annotations

import contextlib
import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn

from bench.artifacts import Artifacts
from bench.schedule import Schedule, Step
from bench.spec import ASYMMETRIC, Cell

State = Mapping[str, Any]
DataAccess = Literal["none", "calibration", "train"]


@dataclass(frozen=True)
class Card:
    """What a method says of itself before anything runs.

    Attributes:
        name: as in `--method`.
        version: raised whenever results may change; part of every cell id.
        title: one line for people. citation: authors, title, venue.
        schedule: the published schedule.
        data: training images it may see: `none`; `calibration`, a few for ranges alone; or the labelled `train` split.
        feedback: whether the source looks at the student; where it does not, cells share one source.
        options: frozen dataclass of its options with defaults.
        quantizes: false for producers of full-precision models.
        full: whether it trains at W32A32 too, where nothing is quantized.
        tutor: network that the student learns from, by registered name; empty where that is the init itself.
        quantizer: class of quantizer: granularity and symmetry of weights / activations. Rows rank within a class.
        reading: where the method is no replication, what it reads into its paper; shown wherever its numbers are.
    """

    name: str
    version: str
    title: str
    citation: str
    schedule: Schedule
    data: DataAccess = "none"
    feedback: bool = False
    options: type = type(None)
    quantizes: bool = True
    full: bool = False
    tutor: str = ""
    quantizer: str = ASYMMETRIC
    reading: str = ""


@dataclass(frozen=True)
class Batch:
    """A batch of training images and what was computed on the way, detached unless said.

    Attributes:
        images: (B, 3, H, W), normalised. labels: int64 (B,).
        logits: the tutor's, (B, classes), where the method has a tutor.
        features: the tutor's maps (B, c, H, W) at the taps that the method compares, in order.
        answer: the student's logits, (B, classes), with their graph, where the source asked it: it has not moved since.
    """

    images: Tensor
    labels: Tensor
    logits: Tensor | None = None
    features: tuple[Tensor, ...] = ()
    answer: Tensor | None = None


@dataclass
class Setup:
    """What a method is given to build its source and learner from.

    Attributes:
        cell, schedule, options: the experiment, its settled schedule and typed options.
        classes: number of classes. device: where everything lives.
        model: builds a fresh full-precision network, by role: `init` or `tutor` with its weights, `new` untrained.
        images: gives the training split as uint8 (N, H, W, 3) and labels (N,) on the device; raises
            DataAccessDenied where the card declares `none`.
        mean, std: input normalisation, (3,) each.
        artifacts: what is made once and kept for others, such as HAST's images.
    """

    cell: Cell
    schedule: Schedule
    options: Any
    classes: int
    device: torch.device
    model: Callable[[str], nn.Module]
    images: Callable[[], tuple[Tensor, Tensor]]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    artifacts: Artifacts

    def autocast(self) -> torch.autocast:
        """Context of the cell's training arithmetic."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.cell.precision == "bf16")

    def stream(self, name: str) -> torch.Generator:
        """A CPU random stream of its own for this seed; equal in all methods, so that runs pair."""
        return torch.Generator().manual_seed(self._seed(name))

    @contextlib.contextmanager
    def seeded(self, name: str) -> Iterator[None]:
        """Within it, torch's global CPU stream (which initialises layers) is this seed's; restored after."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed(name))
            yield

    def _seed(self, name: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{self.cell.seed}|{name}".encode()).digest()[:4], "little")


class Half(ABC):
    """A half of a method: something with state that can be saved at any step and loaded again."""

    @abstractmethod
    def state(self) -> State:
        """Everything that later steps depend on, as tensors and plain values."""

    @abstractmethod
    def load(self, state: State) -> None:
        """Continue from a state that `state()` gave."""


class Source(Half):
    """Draws training batches: owns a generator and its optimiser, or a data handle, and its random stream."""

    @abstractmethod
    def draw(self, step: Step, student: nn.Module) -> Batch:
        """The batch of a step. Looks at `student` only where the card says `feedback`."""

    def losses(self) -> Mapping[str, Tensor]:
        """Losses of the last draw, as scalars on the device."""
        return {}


class Learner(Half):
    """Owns the student and its optimiser, and learns from batches."""

    @abstractmethod
    def learn(self, step: Step, batch: Batch) -> Mapping[str, Tensor]:
        """One update; returns losses as scalars on the device, without synchronising with the host."""

    def watched(self) -> Mapping[str, Tensor]:
        """Further scalars of the last update, on the device; their means are kept for each epoch."""
        return {}

    @abstractmethod
    def student(self) -> nn.Module:
        """The student as it stands, in eval mode; evaluating it changes nothing."""


class Method(ABC):
    """An adapter: a card and the two halves it builds."""

    card: ClassVar[Card]

    def settled(self, options: Any) -> Card:
        """The card as typed options make it, for methods whose schedule, data or feedback depend on them."""
        return self.card

    def version(self, options: Any) -> str:
        """The composed version: its own, then that of every method class it builds on."""
        cards = [c.__dict__["card"] for c in type(self).__mro__ if "card" in c.__dict__]
        return "+".join(f"{card.name}-{card.version}" for card in cards)

    @abstractmethod
    def source(self, setup: Setup) -> Source:
        """Build the source of one group of cells."""

    @abstractmethod
    def learner(self, setup: Setup) -> Learner:
        """Build the learner of one cell."""

    def declines(self, cell: Cell) -> str | None:
        """Why this method cannot run a cell, or None."""
        return None


def defaults_of(card: Card) -> dict[str, Any]:
    """A method's options with their defaults, as plain values."""
    return {} if card.options is type(None) else asdict(card.options())


def settled(method: Method, given: Mapping[str, Any]) -> Card:
    """The card as plain options make it.

    Raises:
        OptionInvalid: as `options_of`.
    """
    return method.settled(options_of(method.card, given))


def version_of(method: Method, given: Mapping[str, Any]) -> str:
    """The composed version of a method with these plain options."""
    return method.version(options_of(method.card, given))


def options_of(card: Card, given: Mapping[str, Any]) -> Any:
    """Typed options of a method from what was given, defaults filled in.

    A whole number given for a float becomes one, so that both spellings are one experiment.

    Raises:
        OptionInvalid: listing every unknown option and every value that is of the wrong type or no choice.
    """
    from bench.errors import OptionInvalid
    from bench.names import unknown

    if card.options is type(None):
        if given:
            raise OptionInvalid(f"method '{card.name}' has no options, but got {', '.join(sorted(given))}")
        return None
    known = {f.name: f for f in fields(card.options)}
    problems = [unknown(f"option of {card.name}", key, known) for key in given if key not in known]
    hints = get_type_hints(card.options)
    for key, value in given.items():
        if key in known and not _fits(value, hints[key]):
            told = f"must be {_kind(hints[key])} (default {known[key].default!r}), not {value!r}"
            problems.append(f"option {key} of {card.name} {told}")
    if problems:
        raise OptionInvalid("; ".join(problems))
    return card.options(**{key: float(value) if hints[key] is float else value for key, value in given.items()})


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return any(type(value) is type(choice) and value == choice for choice in get_args(hint))
    if hint is float:
        return type(value) is int or (type(value) is float and math.isfinite(value))
    return type(value) is hint


def _kind(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(repr, get_args(hint)))}"
    return "a finite number" if hint is float else str(getattr(hint, "__name__", hint))

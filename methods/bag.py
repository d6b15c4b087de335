"""BAG: AdaDFQ with a generator of the student's bit-width, and distillation of channel attention.

A reading of Baek et al., "BAG" (JKSCI 29(7), 2024), of which only the abstract is public: it gives the two ideas, and
neither formulas nor constants.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax, mse_loss

from bench.method import Batch, Setup
from bench.quant.layers import QuantizedActivation, QuantizedConv2d, QuantizedLinear
from bench.spec import Bits, Cell
from methods import adadfq
from methods.adadfq import AdaDFQ, AdaDFQStudent, AdaptiveImages
from methods.parts.attention import channel_energy, channel_mean, channel_softmax
from methods.parts.generator import Generator
from methods.parts.precision import widened
from methods.parts.student import Losses
from methods.parts.taps import Taps, convolutions, lacks_bodies, residual_bodies
from methods.parts.upsampled import UpsampledConv2d

TAPS: Mapping[str, Callable[[nn.Module], list[nn.Module]]] = {"T21": convolutions, "T9": residual_bodies}
WEIGHT_PER_DIGIT = 50.0
"""Of the attention loss: 50 for 10 classes and 100 for 100, the scale of HAST's term beside AdaDFQ's loss."""
SOFTENED = 4.0
"""Temperature of CA-d."""


@dataclass(frozen=True)
class Options(adadfq.Options):
    """AdaDFQ's, and what each of BAG's two parts is.

    Attributes:
        generator: what of the generator has the student's bit-width: `none`, `weights`, or `weights+activations`.
        attention: form of the channel attention and its distance, see `ATTENTION`; `none` leaves it out.
        taps: maps that are compared: `T21`, outputs of all convolutions of ResNet-20, or `T9`, of residual bodies.
        strength: factor on the weight of the attention loss, which is 50 log10(classes) * 9 / number of taps.
    """

    generator: Literal["none", "weights", "weights+activations"] = "weights+activations"
    attention: Literal["none", "CA-a", "CA-b", "CA-c", "CA-d"] = "CA-a"
    taps: Literal["T21", "T9"] = "T21"
    strength: float = 1.0


class BalancedImages(AdaptiveImages):
    """AdaDFQ's images from a generator that is quantized from its first step on."""

    def make(self) -> nn.Module:
        generator = super().make()
        if self.options.generator != "none":
            quantize_generator(generator, self.setup.cell.bits, self.options.generator == "weights+activations")
        return generator


class QuantizedUpsampledConv2d(QuantizedConv2d, UpsampledConv2d):
    """A convolution behind upsampling whose weight has `bits` bits per output channel, before taps are merged."""


def quantize_generator(generator: Generator, bits: Bits, activations: bool) -> None:
    """Quantize, in place, all convolution and linear weights and, if asked, what the two LeakyReLUs give.

    The same grids as the student's. Activation ranges are signed, follow a corrected moving average and never
    freeze, since the generator keeps changing. Noise, embedding, batch norms and the image stay in full precision.
    """
    QuantizedLinear.of(generator.project, bits.w)
    for name, layer in list(generator.layers.named_children()):
        if isinstance(layer, UpsampledConv2d):
            QuantizedUpsampledConv2d.of(layer, bits.w)
        elif isinstance(layer, nn.Conv2d):
            QuantizedConv2d.of(layer, bits.w)
        elif isinstance(layer, nn.LeakyReLU) and activations:
            quantizer = QuantizedActivation(layer, bits.a, "corrected")
            quantizer.tracking = True
            setattr(generator.layers, name, quantizer)


def energy_distance(tutor: Tensor, student: Tensor) -> Tensor:
    """CA-a: mean squared distance of L2-normalised channel energies of maps (B, c, H, W)."""
    return mse_loss(channel_energy(student), channel_energy(tutor))


def mean_distance(tutor: Tensor, student: Tensor) -> Tensor:
    """CA-b: mean squared distance of channel means of maps (B, c, H, W)."""
    return mse_loss(channel_mean(student), channel_mean(tutor))


def softmax_divergence(tutor: Tensor, student: Tensor) -> Tensor:
    """CA-c: KL(tutor || student) of softmaxes over channel energies of maps (B, c, H, W), averaged over B."""
    p, q = channel_softmax(tutor).log(), channel_softmax(student).log()
    return kl_div(q, p, reduction="batchmean", log_target=True)


def spatial_divergence(tutor: Tensor, student: Tensor) -> Tensor:
    """CA-d: KL(tutor || student) over the places of each channel of maps (B, c, H, W), softened, averaged over B, c."""
    p, q = (log_softmax(widened(maps).flatten(2) / SOFTENED, 2) for maps in (tutor, student))
    return SOFTENED**2 * kl_div(q, p, reduction="sum", log_target=True) / (p.shape[0] * p.shape[1])


ATTENTION: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "CA-a": energy_distance,
    "CA-b": mean_distance,
    "CA-c": softmax_divergence,
    "CA-d": spatial_divergence,
}


class ChannelAttention:
    """The weighted distance of channel attention between tutor and student, over all taps."""

    def __init__(self, student: nn.Module, options: Options, classes: int) -> None:
        tapped = TAPS[options.taps](student)
        self.taps, self.distance = Taps(tapped), ATTENTION[options.attention]
        self.weight = options.strength * WEIGHT_PER_DIGIT * math.log10(classes) * 9 / len(tapped)

    def __call__(self, batch: Batch, losses: Losses) -> Losses:
        pairs = zip(batch.features, self.taps.take(), strict=True)
        total = torch.stack([self.distance(tutor, student) for tutor, student in pairs]).sum()
        return {**losses, "attention": self.weight * total}


class BAG(AdaDFQ):
    card = replace(
        AdaDFQ.card,
        name="bag",
        version="2",
        title="BAG (our reading of Baek et al., JKSCI 2024)",
        citation="Baek et al., BAG, JKSCI 29(7):11-20, 2024 (abstract only)",
        options=Options,
        reading="only the abstract is public; formulas, taps and weights are ours",
    )

    def declines(self, cell: Cell) -> str | None:
        return lacks_bodies(cell.model) if cell.options["taps"] == "T9" else None

    def source(self, setup: Setup) -> BalancedImages:
        source = BalancedImages(setup)
        if setup.options.attention != "none":
            source.taps = Taps(TAPS[setup.options.taps](source.tutor.model))
        return source

    def learner(self, setup: Setup) -> AdaDFQStudent:
        student = AdaDFQStudent(setup)
        if setup.options.attention != "none":
            student.follow(ChannelAttention(student.model, setup.options, setup.classes))
        return student


METHOD = BAG

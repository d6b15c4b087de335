"""AdaDFQ's training iteration once more, with AKT's feature loss and BAG's two parts, plain and slow.

Written from the specification alone on the pieces of `transcription`; shares no code with `methods` or `bench.quant`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from transcription import (
    Program,
    QuantAct,
    QuantConv,
    Quantize,
    QuantLinear,
    batch_norm_loss,
    cross_entropy,
    per_channel,
)

FeatureLoss = Callable[[list[Tensor], list[Tensor]], Tensor]


def entropy(d: Tensor, temperature: float = 1.0) -> Tensor:
    p = torch.softmax(d / temperature, dim=1)
    return -(p * torch.log(p)).sum(dim=1)


def generator_loss(t: Tensor, s: Tensor, y: Tensor) -> Tensor:
    """Margin and balance of the published program, without the statistics."""
    h = entropy(t - s)
    h = (h - h.min()) / (math.log(t.shape[1]) - h.min())
    zero = torch.zeros_like(h)
    low = torch.max(0.1 - h, zero).mean()
    high = torch.max(h - 0.8, zero).mean()
    return low + high + 0.2 * cross_entropy(t - s, y) + 0.1 * cross_entropy(t + s, y)


def student_loss(t: Tensor, s: Tensor) -> Tensor:
    return -400 * entropy(t - s, 20).mean()


def akt_divergence(a_s: Tensor, a_t: Tensor) -> Tensor:
    p, q = torch.softmax(a_t / 8, dim=1), torch.softmax(a_s / 8, dim=1)
    return (p * torch.log(p / q)).sum()


def unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


def akt_features(tutor: list[Tensor], student: list[Tensor]) -> Tensor:
    """Sum over layers, batch and the two kinds of attention, without the weight."""
    total = torch.zeros(())
    for f_t, f_s in zip(tutor, student, strict=True):
        channel = [torch.softmax((f * f).mean(dim=(2, 3)), dim=1) for f in (f_s, f_t)]
        spatial = [unit((f * f).mean(dim=1).reshape(len(f), -1)) for f in (f_s, f_t)]
        total = total + akt_divergence(*channel) + akt_divergence(*spatial)
    return total


def bag_features(tutor: list[Tensor], student: list[Tensor]) -> Tensor:
    """CA-a: squared distances of normalised channel energies, averaged over batch and channels, summed over taps."""
    total = torch.zeros(())
    for f_t, f_s in zip(tutor, student, strict=True):
        a_t, a_s = (unit((f * f).mean(dim=(2, 3))) for f in (f_t, f_s))
        total = total + ((a_s - a_t) ** 2).mean()
    return total


class SignedQuantAct(nn.Module):
    """A LeakyReLU and a quantizer of its output whose range follows a corrected average, always."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits, self.count = bits, 0
        self.lo, self.hi = torch.zeros(()), torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        x = functional.leaky_relu(x, 0.2)
        self.count += 1
        self.lo, self.hi = 0.9 * self.lo + 0.1 * x.data.min(), 0.9 * self.hi + 0.1 * x.data.max()
        correction = 1 - 0.9**self.count
        return Quantize.apply(x, self.bits, self.lo / correction, self.hi / correction)


class QuantConvWithBias(QuantConv):
    def __init__(self, conv: nn.Conv2d, bits: int) -> None:
        super().__init__(conv, bits)
        self.bias = nn.Parameter(conv.bias.data.clone())

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, per_channel(self.weight, self.bits), self.bias, self.stride, self.padding)


def quantized_generator(generator: nn.Module, bits: int) -> nn.Module:
    """BAG's generator, in place: all weights and what follows the two LeakyReLUs."""
    for name, child in list(generator.named_children()):
        if isinstance(child, nn.Conv2d):
            setattr(generator, name, QuantConvWithBias(child, bits))
        elif isinstance(child, nn.Linear):
            setattr(generator, name, QuantLinear(child, bits))
        elif isinstance(child, nn.LeakyReLU):
            setattr(generator, name, SignedQuantAct(bits))
        else:
            quantized_generator(child, bits)
    return generator


def tapped(network: nn.Module, names: list[str]) -> dict[str, Tensor]:
    """A mapping that holds, after a forward of `network`, the outputs of the modules of these names."""
    kept: dict[str, Tensor] = {}
    modules = dict(network.named_modules())
    for name in names:
        modules[name].register_forward_hook(lambda m, given, output, name=name: kept.update({name: output}))
    return kept


class AdaDFQProgram(Program):
    """The published loop, with a feature loss of given weight on top of the student's if there is one."""

    def __init__(
        self, *given: object, features: FeatureLoss | None = None, weight: float = 0.0, taps: list[str] = (), **more
    ) -> None:
        super().__init__(*given, **more)
        self.features, self.weight, self.names = features, weight, taps
        self.maps = [tapped(network, taps) for network in (self.teacher, self.student)]

    def iteration(self, epoch: int, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        self.set_rates(epoch)
        for module in self.student.modules():
            if isinstance(module, QuantAct):
                module.running = epoch < self.warmup
        self.watch.seen.clear()
        images = self.generator(z, y)
        t = self.teacher(images)
        tutor_maps = [self.maps[0][name].detach() for name in self.names]
        loss_G = generator_loss(t, self.student(images), y) + batch_norm_loss(self.watch.seen)
        self.optimizer_G.zero_grad()
        loss_G.backward()
        self.optimizer_G.step()

        s = self.student(images.detach())
        loss_S = student_loss(t.detach(), s)
        if self.features:
            loss_S = loss_S + self.weight * self.features(tutor_maps, [self.maps[1][name] for name in self.names])
        if epoch >= self.warmup:
            self.optimizer_S.zero_grad()
            loss_S.backward()
            self.optimizer_S.step()
        return loss_G.detach(), loss_S.detach()

"""QKD's training iteration once more, plain and slow.

Written from the specification alone: ordinary modules in NCHW, LSQ's quantizer as a composition of differentiable
functions, signs of inputs read off the inputs themselves, textbook SGD. It shares no code with `methods` or
`bench.quant`. The adapter is checked against it, and its speed is measured against it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

TEMPERATURE, RATE, MOMENTUM, DECAY = 2.0, 1e-2, 0.9, 1e-4


def lsq(v: Tensor, s: Tensor, q_n: int, q_p: int, scale_gradient: bool) -> Tensor:
    """s * round(clip(v / s)), differentiable in v and s."""
    if scale_gradient:
        g = 1 / math.sqrt(v.numel() * q_p)
        s = s.detach() + (s - s.detach()) * g
    r = v / s
    inside = s * (r + (torch.round(r) - r).detach())
    return torch.where(r <= -q_n, -q_n * s, torch.where(r >= q_p, q_p * s, inside))


class Quantized(nn.Module):
    """A convolution or linear layer with an interval I_W of its weight and I_X of its input."""

    def __init__(self, layer: nn.Module, bits: tuple[int, int], scale_gradient: bool) -> None:
        super().__init__()
        self.layer, (self.k_w, self.k_a), self.scale_gradient = layer, bits, scale_gradient
        self.off = True
        self.least, self.largest, self.sizes = 0.0, 0.0, []
        self.I_W = nn.Parameter(torch.ones(()))
        self.I_X = nn.Parameter(torch.ones(()))

    def input_range(self) -> tuple[int, int]:
        if self.least < 0:
            return 2 ** (self.k_a - 1), 2 ** (self.k_a - 1) - 1
        return 0, 2**self.k_a - 1

    def start(self, max_based: bool | None) -> None:
        """First intervals; None for the rule that goes by the number of bits."""
        weight = self.layer.weight.data
        largest, mean, q_p = weight.abs().max(), weight.abs().mean(), 2 ** (self.k_w - 1) - 1
        by_max = self.k_w > 3 if max_based is None else max_based
        self.I_W.data.fill_(largest / q_p if by_max else 2 * mean / math.sqrt(q_p))
        mean, q_p = sum(self.sizes) / len(self.sizes), self.input_range()[1]
        by_max = self.k_a > 3 if max_based is None else max_based
        self.I_X.data.fill_(self.largest / q_p if by_max else 2 * mean / math.sqrt(q_p))
        self.off = False

    def forward(self, x: Tensor) -> Tensor:
        w = self.layer.weight
        if self.off:
            self.least = min(self.least, float(x.min()))
            self.largest = max(self.largest, float(x.abs().max()))
            self.sizes.append(float(x.abs().mean()))
        else:
            x = lsq(x, self.I_X, *self.input_range(), self.scale_gradient)
            w = lsq(w, self.I_W, 2 ** (self.k_w - 1), 2 ** (self.k_w - 1) - 1, self.scale_gradient)
        if isinstance(self.layer, nn.Linear):
            return functional.linear(x, w, self.layer.bias)
        conv = self.layer
        return functional.conv2d(x, w, conv.bias, conv.stride, conv.padding, 1, conv.groups)


def replaced(module: nn.Module, bits: tuple[int, int], scale_gradient: bool) -> None:
    for name, child in list(module.named_children()):
        if isinstance(child, (nn.Conv2d, nn.Linear)):
            setattr(module, name, Quantized(child, bits, scale_gradient))
        else:
            replaced(child, bits, scale_gradient)


def softened(z: Tensor) -> Tensor:
    return torch.softmax(z / TEMPERATURE, dim=1)


def kl(a: Tensor, b: Tensor) -> Tensor:
    """Mean over the batch of sum_c a log(a / b)."""
    return (a * torch.log(a / b)).sum(dim=1).mean()


def ce(z: Tensor, y: Tensor) -> Tensor:
    return -torch.log(torch.softmax(z, dim=1))[torch.arange(len(y)), y].mean()


class Descent:
    """SGD with momentum, by hand; weights decay and nothing else does."""

    def __init__(self, model: nn.Module, rates: dict[str, float]) -> None:
        self.named = list(model.named_parameters())
        self.rates = [rates.get(name.rpartition(".")[2], RATE) for name, _ in self.named]
        self.velocity = [torch.zeros_like(p) for _, p in self.named]

    def step(self, gradients: Iterable[Tensor], progress: float) -> None:
        factor = 0.5 * (1 + math.cos(math.pi * progress))
        for (name, p), rate, v, g in zip(self.named, self.rates, self.velocity, gradients, strict=True):
            decay = DECAY if name.endswith("weight") and p.ndim in (2, 4) else 0.0
            v.mul_(MOMENTUM).add_(g + decay * p.data)
            p.data.sub_(rate * factor * v)
            if name.endswith(("I_W", "I_X")):
                p.data.clamp_(min=1e-8)


class Program:
    """Student and teacher in full precision, the student quantized in place.

    Args:
        bits: of weights and inputs. ends: width of the first and the last layer.
        batches: of images, from which the first input intervals are found.
        rates: learning rates of I_W and I_X where they are not the networks' and their gradients are not scaled.
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        bits: tuple[int, int],
        batches: list[Tensor],
        ends: int | None = None,
        rates: dict[str, float] | None = None,
        max_based: bool | None = None,
    ) -> None:
        self.student, self.teacher = student.eval(), teacher
        replaced(student, bits, scale_gradient=rates is None)
        layers = [m for m in student.modules() if isinstance(m, Quantized)]
        if ends:
            for layer in (layers[0], layers[-1]):
                layer.k_w = layer.k_a = ends
        with torch.no_grad():
            for x in batches:
                student(x)
        for layer in layers:
            layer.start(max_based)
        self.descent_S = Descent(student, rates or {})
        self.descent_T = Descent(teacher, {})

    def iteration(self, phase: str, x: Tensor, y: Tensor, done: float, done_of_phase: float) -> list[Tensor]:
        """One step; `done` of all steps and `done_of_phase` of the phase's came before. Returns L_S and, in CS, L_T."""
        z_S = self.student.train()(x)
        if phase == "SS":
            losses = [ce(z_S, y)]
        elif phase == "CS":
            z_T = self.teacher.train()(x)
            L_S = ce(z_S, y) + TEMPERATURE**2 * kl(softened(z_T).detach(), softened(z_S))
            L_T = ce(z_T, y) + TEMPERATURE**2 * kl(softened(z_S).detach(), softened(z_T))
            losses = [L_S, L_T]
        else:
            with torch.no_grad():
                z_T = self.teacher.eval()(x)
            losses = [ce(z_S, y) + TEMPERATURE**2 * kl(softened(z_T), softened(z_S))]
        gradients_S = torch.autograd.grad(losses[0], list(self.student.parameters()))
        if phase == "CS":
            gradients_T = torch.autograd.grad(losses[1], list(self.teacher.parameters()))
            self.descent_T.step(gradients_T, done_of_phase)
        self.descent_S.step(gradients_S, done)
        return [loss.detach() for loss in losses]

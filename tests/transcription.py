"""GDFQ's training iteration once more, plain and slow, in the manner of its authors' program.

Written from the specification alone: ordinary modules in NCHW, hooks that reduce each batch norm's input again,
ZeroQ's quantizer with its scale and signed zero point, gradients of the tutor computed and thrown away. It shares no
code with `methods` or `bench.quant`. The adapter is checked against it, and its speed is measured against it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

TEMPERATURE, ALPHA, STATISTICS = 20.0, 1.0, 0.1


def parameters_of(bits: int, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
    """ZeroQ's scale (levels per unit) and signed zero point of a range."""
    scale = (2**bits - 1) / torch.clamp(hi - lo, min=1e-8)
    return scale, torch.round(scale * lo) + 2 ** (bits - 1)


class Quantize(torch.autograd.Function):
    """To the signed grid and back; the gradient passes unchanged."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bits: int, lo: Tensor, hi: Tensor) -> Tensor:
        scale, zero_point = parameters_of(bits, lo, hi)
        if x.ndim == 4 and scale.numel() > 1:
            scale, zero_point = scale.view(-1, 1, 1, 1), zero_point.view(-1, 1, 1, 1)
        elif x.ndim == 2 and scale.numel() > 1:
            scale, zero_point = scale.view(-1, 1), zero_point.view(-1, 1)
        n = 2 ** (bits - 1)
        q = torch.clamp(torch.round(scale * x - zero_point), -n, n - 1)
        return (q + zero_point) / scale

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return gradient, None, None, None


def per_channel(weight: Tensor, bits: int) -> Tensor:
    """A weight, quantized over the range of each output channel."""
    rows = weight.data.contiguous().view(weight.shape[0], -1)
    return Quantize.apply(weight, bits, rows.min(dim=1).values, rows.max(dim=1).values)


class QuantConv(nn.Module):
    def __init__(self, conv: nn.Conv2d, bits: int) -> None:
        super().__init__()
        self.bits, self.stride, self.padding, self.groups = bits, conv.stride, conv.padding, conv.groups
        self.weight = nn.Parameter(conv.weight.data.clone())

    def forward(self, x: Tensor) -> Tensor:
        weight = per_channel(self.weight, self.bits)
        return functional.conv2d(x, weight, None, self.stride, self.padding, 1, self.groups)


class QuantLinear(nn.Module):
    def __init__(self, linear: nn.Linear, bits: int) -> None:
        super().__init__()
        self.bits = bits
        self.weight = nn.Parameter(linear.weight.data.clone())
        self.bias = nn.Parameter(linear.bias.data.clone())

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, per_channel(self.weight, self.bits), self.bias)


class QuantAct(nn.Module):
    """Quantizer of an activation; `published` stores the corrected average back, the other rule does not."""

    def __init__(self, bits: int, published: bool) -> None:
        super().__init__()
        self.bits, self.published, self.running = bits, published, False
        self.beta_t = 1.0
        self.x_min, self.x_max = torch.zeros(()), torch.zeros(())

    def range(self) -> tuple[Tensor, Tensor]:
        if self.published or self.beta_t == 1.0:
            return self.x_min, self.x_max
        return self.x_min / (1 - self.beta_t), self.x_max / (1 - self.beta_t)

    def forward(self, x: Tensor) -> Tensor:
        if self.running:
            self.beta_t = self.beta_t * 0.9
            self.x_min = self.x_min * 0.9 + x.data.min() * 0.1
            self.x_max = self.x_max * 0.9 + x.data.max() * 0.1
            if self.published:
                self.x_min = self.x_min / (1 - self.beta_t)
                self.x_max = self.x_max / (1 - self.beta_t)
        return Quantize.apply(x, self.bits, *self.range())


def quantized(module: nn.Module, weight_bits: int, activation_bits: int, published: bool) -> nn.Module:
    """A network with its layers replaced, in place; the module itself where it is none of these."""
    if isinstance(module, nn.Conv2d):
        return QuantConv(module, weight_bits)
    if isinstance(module, nn.Linear):
        return QuantLinear(module, weight_bits)
    if isinstance(module, nn.ReLU):
        return nn.Sequential(nn.ReLU(), QuantAct(activation_bits, published))
    for name, child in list(module.named_children()):
        setattr(module, name, quantized(child, weight_bits, activation_bits, published))
    return module


class ConditionalGenerator(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.label_emb = nn.Embedding(classes, 100)
        self.l1 = nn.Sequential(nn.Linear(100, 128 * 8 * 8))
        self.conv_blocks0 = nn.Sequential(nn.BatchNorm2d(128))
        self.conv_blocks1 = nn.Sequential(
            nn.Conv2d(128, 128, 3, stride=1, padding=1),
            nn.BatchNorm2d(128, 0.8),
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.conv_blocks2 = nn.Sequential(
            nn.Conv2d(128, 64, 3, stride=1, padding=1),
            nn.BatchNorm2d(64, 0.8),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(64, 3, 3, stride=1, padding=1),
            nn.Tanh(),
            nn.BatchNorm2d(3, affine=False),
        )

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        out = self.l1(torch.mul(self.label_emb(labels), z))
        out = self.conv_blocks0(out.view(out.shape[0], 128, 8, 8))
        out = self.conv_blocks1(functional.interpolate(out, scale_factor=2))
        return self.conv_blocks2(functional.interpolate(out, scale_factor=2))


class Watch:
    """Hooks that keep what each batch norm of a network was given in a forward pass."""

    def __init__(self, network: nn.Module) -> None:
        self.seen: list[tuple[nn.BatchNorm2d, Tensor]] = []
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_hook(lambda norm, given, output: self.seen.append((norm, given[0])))


def batch_norm_loss(seen: list[tuple[nn.BatchNorm2d, Tensor]]) -> Tensor:
    """Mean over layers of the mean squared distances of batch mean and biased variance to the stored ones."""
    total = 0
    for norm, u in seen:
        mean = u.mean(dim=(0, 2, 3))
        var = u.permute(1, 0, 2, 3).contiguous().view(u.shape[1], -1).var(dim=1, unbiased=False)
        total = total + ((mean - norm.running_mean) ** 2).mean() + ((var - norm.running_var) ** 2).mean()
    return total / len(seen)


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    return -torch.log(torch.softmax(logits, dim=1))[torch.arange(len(y)), y].mean()


def kl_mean(t: Tensor, s: Tensor) -> Tensor:
    """Sum over batch and classes of p_t log(p_t / p_s), softened, divided by B * C."""
    p_t, p_s = torch.softmax(t / TEMPERATURE, dim=1), torch.softmax(s / TEMPERATURE, dim=1)
    return (p_t * torch.log(p_t / p_s)).sum() / (t.shape[0] * t.shape[1])


class Program:
    """Everything that the published loop keeps.

    Args:
        teacher, student: two copies of the same full-precision network; the student is quantized in place.
        bits: of weights and activations. warmup: epochs in which ranges are tracked and the student stays as it is.
        milestones: epochs at which learning rates drop tenfold. published: the range rule.
    """

    def __init__(
        self,
        teacher: nn.Module,
        student: nn.Module,
        generator: nn.Module,
        bits: tuple[int, int],
        warmup: int,
        milestones: tuple[int, ...],
        published: bool,
    ) -> None:
        self.warmup, self.milestones = warmup, milestones
        self.teacher = teacher.eval()
        self.student = quantized(student, *bits, published).eval()
        self.generator = generator.train()
        self.optimizer_G = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
        self.optimizer_S = torch.optim.SGD(
            self.student.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4, nesterov=True
        )
        self.watch = Watch(teacher)

    def set_rates(self, epoch: int) -> None:
        factor = 1.0
        for milestone in self.milestones:
            if epoch + 1 > milestone:
                factor = factor * 0.1
        self.optimizer_G.param_groups[0]["lr"] = 1e-3 * factor
        self.optimizer_S.param_groups[0]["lr"] = 1e-4 * factor

    def iteration(self, epoch: int, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the generator and, after the warm-up, one of the student; returns their losses."""
        self.set_rates(epoch)
        self.watch.seen.clear()
        images = self.generator(z, y)
        t = self.teacher(images)
        loss_G = cross_entropy(t, y) + STATISTICS * batch_norm_loss(self.watch.seen)
        self.optimizer_G.zero_grad()
        loss_G.backward()
        self.optimizer_G.step()

        for module in self.student.modules():
            if isinstance(module, QuantAct):
                module.running = epoch < self.warmup
        s = self.student(images.detach())
        loss_S = cross_entropy(s, y) + ALPHA * TEMPERATURE**2 * kl_mean(t.detach(), s)
        if epoch >= self.warmup:
            self.optimizer_S.zero_grad()
            loss_S.backward()
            self.optimizer_S.step()
        return loss_G.detach(), loss_S.detach()

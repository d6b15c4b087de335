"""HAST's two stages once more, plain and slow, in the manner of its authors' program.

Written from the specification alone; beside `transcription` it shares no code with `methods` or `bench.quant`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import transcription
from torch import Tensor, nn
from transcription import STATISTICS, QuantAct, batch_norm_loss, cross_entropy

ALPHA, LAMBDA = 20.0, 1000.0


def focal(t: Tensor, y: Tensor, beta: float, gamma: float) -> Tensor:
    """beta times the mean of (1 - p)^gamma times the cross-entropy."""
    total = 0
    for logits, label in zip(t, y, strict=True):
        p = torch.softmax(logits, dim=0)[label]
        total = total + (1 - p) ** gamma * -torch.log(p)
    return beta * total / len(y)


def synthesise(
    teacher: nn.Module, x: Tensor, y: Tensor, iterations: int, beta: float, gamma: float
) -> tuple[Tensor, list[float]]:
    """Images optimised from `x`, and the learning rate of each step."""
    watch = transcription.Watch(teacher)
    x = x.clone().requires_grad_()
    adam = torch.optim.Adam([x], lr=0.5)
    best, bad, rates = math.inf, 0, []
    for _ in range(iterations):
        rates.append(adam.param_groups[0]["lr"])
        watch.seen.clear()
        t = teacher(x)
        loss = batch_norm_loss(watch.seen) + focal(t, y, beta, gamma)
        adam.zero_grad()
        loss.backward()
        adam.step()
        if loss.item() < best * (1 - 1e-4):
            best, bad = loss.item(), 0
        else:
            bad += 1
        if bad > 50:
            adam.param_groups[0]["lr"] = max(0.1 * adam.param_groups[0]["lr"], 1e-4)
            bad = 0
    return x.detach(), rates


def batch_mean_kl(t: Tensor, s: Tensor, temperature: float = 20.0) -> Tensor:
    """K: sum over classes of p_t log(p_t / p_s), softened, averaged over the batch."""
    p_t, p_s = torch.softmax(t / temperature, dim=1), torch.softmax(s / temperature, dim=1)
    return (p_t * torch.log(p_t / p_s)).sum() / t.shape[0]


def channel_attention(f: Tensor) -> Tensor:
    energy = (f**2).mean(dim=3).mean(dim=2)
    return energy / torch.clamp(torch.sqrt((energy**2).sum(dim=1, keepdim=True)), min=1e-12)


def feature_alignment(teacher: list[Tensor], student: list[Tensor]) -> Tensor:
    total = 0
    for f_T, f_S in zip(teacher, student, strict=True):
        total = total + ((channel_attention(f_S) - channel_attention(f_T)) ** 2).mean()
    return total


class Program(transcription.Program):
    """The loop of stage 2; `images` are what the data loader gives, augmented."""

    def __init__(self, *arguments: Any, epsilon: float = 0.01, **rules: Any) -> None:
        super().__init__(*arguments, **rules)
        self.epsilon = epsilon
        self.features: dict[str, list[Tensor]] = {"teacher": [], "student": []}
        for whose, network in (("teacher", self.teacher), ("student", self.student)):
            for stage in (network.features.stage1, network.features.stage2, network.features.stage3):
                for unit in stage:
                    unit.body.register_forward_hook(
                        lambda module, given, output, whose=whose: self.features[whose].append(output)
                    )

    def calibrate(self, z: Tensor, y: Tensor) -> None:
        """One step of the generator, whose images the student sees once while ranges are tracked."""
        self.watch.seen.clear()
        images = self.generator(z, y)
        t = self.teacher(images)
        loss_G = cross_entropy(t, y) + STATISTICS * batch_norm_loss(self.watch.seen)
        self.optimizer_G.zero_grad()
        loss_G.backward()
        self.optimizer_G.step()
        self.track(True)
        self.student(images.detach())
        self.track(False)

    def track(self, running: bool) -> None:
        for module in self.student.modules():
            if isinstance(module, QuantAct):
                module.running = running

    def loss(self, x: Tensor, teacher_graph: bool) -> Tensor:
        """8000 K + 1000 FA of a batch."""
        for kept in self.features.values():
            kept.clear()
        with torch.set_grad_enabled(teacher_graph):
            t = self.teacher(x)
        s = self.student(x)
        alignment = feature_alignment(self.features["teacher"], self.features["student"])
        return ALPHA * 20.0**2 * batch_mean_kl(t, s) + LAMBDA * alignment

    def train(self, epoch: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """One update of the student; returns the loss on the samples and on the same made harder."""
        factor = 1.0
        for milestone in self.milestones:
            if epoch + 1 > milestone:
                factor = factor * 0.1
        self.optimizer_S.param_groups[0]["lr"] = 1e-5 * factor
        x = x.clone().requires_grad_()
        clean = self.loss(x, teacher_graph=True)
        (slope,) = torch.autograd.grad(clean, x, retain_graph=True)
        harder = x.detach() + self.epsilon * torch.sign(slope)
        hard = self.loss(harder, teacher_graph=False)
        self.optimizer_S.zero_grad()
        (clean + hard).backward()
        self.optimizer_S.step()
        return clean.detach(), hard.detach()

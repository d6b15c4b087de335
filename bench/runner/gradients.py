"""Gradient norms: how strongly the latest step pulled at each layer."""

from __future__ import annotations

import math

import torch
from torch import nn


def gradient_norms(model: nn.Module) -> dict[str, float | None]:
    """Euclidean norm of the gradient that the weight of each convolution and linear layer holds, by the layer's name.

    Four digits, as a record holds one of each layer and epoch. Layers without a gradient are left out; a norm that is
    not finite is None. Changes nothing, and synchronises with the host once.
    """
    gradients = {
        name: module.weight.grad
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and module.weight.grad is not None
    }
    norms = torch.stack([gradient.float().norm() for gradient in gradients.values()]).tolist() if gradients else []
    return {name: _short(norm) for name, norm in zip(gradients, norms, strict=True)}


def _short(norm: float) -> float | None:
    return float(f"{norm:.4g}") if math.isfinite(norm) else None

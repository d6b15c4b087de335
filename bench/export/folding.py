"""Batch norm with constant statistics as what it is: a factor and a summand for each channel."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn


def folded(layer: nn.Conv2d | nn.Linear, norm: nn.BatchNorm2d | None) -> tuple[np.ndarray, np.ndarray]:
    """What each channel of a layer's product is multiplied by, and what is added then, both float64 (O,)."""
    bias = np.zeros(len(layer.weight)) if layer.bias is None else numbers(layer.bias)
    if norm is None:
        return np.ones_like(bias), bias
    factor, summand = affine(norm)
    return factor, summand + bias * factor


def affine(norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    """Factor and summand of a batch norm in eval mode, both float64 (C,)."""
    assert norm.running_mean is not None and norm.running_var is not None
    factor = 1 / np.sqrt(numbers(norm.running_var) + norm.eps)
    if not norm.affine:
        return factor, -numbers(norm.running_mean) * factor
    factor = factor * numbers(norm.weight)
    return factor, numbers(norm.bias) - numbers(norm.running_mean) * factor


def numbers(tensor: Tensor) -> np.ndarray:
    """A tensor's numbers, float64."""
    return tensor.detach().cpu().double().contiguous().numpy()

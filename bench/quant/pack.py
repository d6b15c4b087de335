"""Packed weights: a quantized model as k-bit codes, scales and the few full-precision tensors it keeps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from bench.quant.describe import describe
from bench.quant.grid import Grid
from bench.quant.layers import QuantizedWeight


def pack_codes(codes: Tensor, bits: int) -> Tensor:
    """Codes in [0, 2^bits - 1] as a dense bit string, uint8 (ceil(N * bits / 8),), most significant bit first."""
    flat = codes.flatten().cpu().numpy().astype(np.uint8)
    return torch.from_numpy(np.packbits(np.unpackbits(flat[:, None], axis=1)[:, 8 - bits :]))


def unpack_codes(packed: Tensor, bits: int, shape: tuple[int, ...]) -> Tensor:
    """The int32 codes of `shape` that `pack_codes` packed."""
    count = int(np.prod(shape))
    table = np.unpackbits(packed.numpy(), count=count * bits).reshape(count, bits)
    weights = 1 << np.arange(bits - 1, -1, -1)
    return torch.from_numpy((table @ weights).astype(np.int32)).view(shape)


def pack(model: nn.Module) -> dict[str, Tensor]:
    """Every tensor that a deployed model needs: `<layer>.codes`, `.scale`, `.zero_point`, and the rest as it is.

    A weight's value is scale * (code - zero_point), per output channel where these are (O,), else (), per layer.
    """
    weights = {t.name: t for t in describe(model) if t.kind == "weight"}
    rest = {k: v for k, v in model.state_dict().items() if k.removesuffix(".weight") not in weights}
    packed = {name: tensor.detach().cpu().contiguous() for name, tensor in rest.items()}
    for name, tensor in weights.items():
        packed[f"{name}.codes"] = pack_codes(tensor.codes, tensor.bits)
        packed[f"{name}.scale"] = tensor.scale.detach().cpu().contiguous()
        packed[f"{name}.zero_point"] = _narrow(tensor.zero_point.cpu())
    return packed


def _narrow(whole: Tensor) -> Tensor:
    """Whole numbers as int16 where all of them fit, else as they are."""
    narrow = whole.to(torch.int16)
    return narrow if torch.equal(narrow.long(), whole) else whole


def restore(model: nn.Module, packed: Mapping[str, Tensor]) -> nn.Module:
    """Fill a freshly quantized `model` of the same network and bits from packed tensors.

    Weights become the packed values themselves and are not quantized a second time, so that logits are those of
    the model that was packed, bit for bit.
    """
    state = {k: v for k, v in packed.items() if not k.endswith((".codes", ".scale", ".zero_point"))}
    for name, layer in model.named_modules():
        if isinstance(layer, QuantizedWeight):
            codes = unpack_codes(packed[f"{name}.codes"], layer.bits, tuple(layer.weight.shape))
            scale, zero = packed[f"{name}.scale"], packed[f"{name}.zero_point"].long()
            if scale.ndim:
                column = (-1, *[1] * (layer.weight.ndim - 1))
                scale, zero = scale.view(column), zero.view(column)
            state[f"{name}.weight"] = (codes - zero) * scale
            device = layer.weight.device
            layer.fix(Grid(scale.to(device), -zero.to(device, scale.dtype), layer.bits))
    model.load_state_dict(state)
    return model.eval()

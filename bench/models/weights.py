"""Weights in files: read without running any code from them, written as safetensors, identified by content."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from bench.errors import ModelCorrupt, ModelMissing
from bench.files import write_bytes

State = Mapping[str, Tensor]

NESTED = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights")
"""Keys under which training programs keep the weights in a larger checkpoint."""

COUNTER = "num_batches_tracked"
"""Batch norm's step counter: in no older file, and without effect on any output."""


def fingerprint(state: State) -> str:
    """sha256 (hex) over name, type, shape and little-endian bytes of every tensor, sorted by name.

    Equal for equal numbers, whatever the file format, order, device or memory format; counters of batch norm
    (`num_batches_tracked`) are left out.
    """
    total = hashlib.sha256()
    for name, tensor in sorted(_counted_out(state).items()):
        flat = tensor.detach().cpu().contiguous(memory_format=torch.contiguous_format).reshape(-1)
        total.update(json.dumps([name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]).encode())
        total.update(flat.view(torch.uint8).numpy())
    return total.hexdigest()


def read(path: Path) -> dict[str, Tensor]:
    """Tensors by name, on the CPU, from a .safetensors file, a torch file, or a zip around one torch file.

    A torch file holds a state dict, alone or under one of NESTED; a `module.` before all names is taken off.

    Raises:
        ModelMissing: if there is no such file.
        ModelCorrupt: if it is damaged, holds no weights, or holds Python objects (which are never unpickled).
    """
    if not path.is_file():
        raise ModelMissing(f"{path}: no such weights file")
    found = _safetensors(path) if path.suffix == ".safetensors" else _torch_file(path)
    return _unwrapped(_state_in(found, path))


def load_into(model: nn.Module, state: State, path: Path, expected: str = "") -> None:
    """Copy weights into a network of exactly these names, shapes and types; counters of batch norm may be missing.

    Args:
        path: where the weights came from, for the message. expected: the network's name, for the message.

    Raises:
        ModelCorrupt: naming missing, unexpected and unfitting tensors; the network is unchanged then.
    """
    problems = _misfits(_counted_out(model.state_dict()), _counted_out(state))
    if problems:
        network = expected or type(model).__name__
        raise ModelCorrupt(f"{path} does not hold the weights of {network}: {'; '.join(problems)}")
    model.load_state_dict(dict(state), strict=False)


def write(path: Path, state: State) -> None:
    """Write weights as safetensors, whole or not at all; equal weights give equal bytes.

    Raises:
        ResultsUnwritable: if the folder cannot be written or the disk is full.
    """
    plain = {name: tensor.detach().cpu() for name, tensor in state.items()}
    own = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in plain.items()}
    write_bytes(path, safetensors.torch.save(own))


def _counted_out(state: State) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if name.rpartition(".")[2] != COUNTER}


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(path.read_bytes())
    except Exception as error:  # a damaged file may fail in any way
        wrong = f"is not a readable safetensors file ({_short(error)})"
        raise ModelCorrupt(f"{path} {wrong}; copy or make it again") from error


def _torch_file(path: Path) -> Any:
    """What a torch file holds, of tensors and plain containers only."""
    try:
        return torch.load(io.BytesIO(_unzipped(path)), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may fail in any way
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        wrong = f"cannot be read ({_short(error)})"
        if foreign:
            wrong = f"holds a Python object ({foreign[1]}), which is never loaded"
        raise ModelCorrupt(f"{path} {wrong}; write it again with torch.save(model.state_dict(), FILE)") from error


def _unzipped(path: Path) -> bytes:
    """The file's bytes, or those of the one .pth or .pt in it where it is a zip around one."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if "__MACOSX" not in name]
            inner = [name for name in names if name.endswith((".pth", ".pt"))]
            if len(inner) == 1:
                return archive.read(inner[0])
    return path.read_bytes()


def _short(error: Exception) -> str:
    """Kind of an error and its first sentence."""
    sentence = re.split(r"[.;] |\n", str(error))[0]
    return f"{type(error).__name__}: {sentence[:120]}".removesuffix(": ")


def _state_in(found: Any, path: Path) -> dict[str, Tensor]:
    """The state dict that a file's content is, or holds under one of NESTED."""
    if isinstance(found, dict):
        for candidate in (found, *(found[key] for key in NESTED if key in found)):
            if _is_state(candidate):
                return candidate
    kind = f"keys {_some([str(key) for key in found])}" if isinstance(found, dict) else type(found).__name__
    wanted = f"tensors by name, alone or under {', '.join(NESTED)}"
    raise ModelCorrupt(f"{path} holds no weights ({wanted}), but {kind}")


def _is_state(value: Any) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    return all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())


def _unwrapped(state: State) -> dict[str, Tensor]:
    """Without the `module.` that torch's DataParallel puts before every name."""
    wrapped = all(name.startswith("module.") for name in state)
    return {name.removeprefix("module.") if wrapped else name: tensor.detach() for name, tensor in state.items()}


def _misfits(wanted: State, given: State) -> list[str]:
    """What is wrong with given weights, a phrase for each kind of mistake."""
    shared = wanted.keys() & given.keys()
    unfitting = [
        f"{name} is {_kind(given[name])} instead of {_kind(wanted[name])}"
        for name in sorted(shared)
        if _kind(given[name]) != _kind(wanted[name])
    ]
    missing, unexpected = sorted(wanted.keys() - shared), sorted(given.keys() - shared)
    mistakes = {"missing": missing, "unexpected": unexpected, "unfitting": unfitting}
    return [f"{len(names)} {kind} ({_some(names)})" for kind, names in mistakes.items() if names]


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")

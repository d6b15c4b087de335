"""Exported models in onnxruntime on the CPU, and which kernels it runs them with."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench.export import model
from bench.export.graph import INPUT, OUTPUT
from bench.extras import package
from bench.measure.kernels import RUNTIME_FP32, RUNTIME_INT8, RUNTIME_MIXED
from bench.measure.stored import Stored

Form = Literal["fp32", "integer"]

INTEGER_KERNELS = ("ConvInteger", "QLinearConv")
FLOAT_KERNELS = ("Conv", "FusedConv")
ERRORS_ONLY = 3
"""Of onnxruntime's log levels."""


@dataclass(frozen=True)
class Runtime:
    """A model that onnxruntime has loaded.

    Attributes:
        kernel: `onnxruntime fp32`; `onnxruntime int8` where more than half of the convolutions run on integer
            kernels, else `onnxruntime mixed`.
        integer, convolutions: how many of the convolutions of the optimised graph run on integer kernels, and of all.
        run: images (N, 3, 32, 32), float32 and normalised, to logits (N, classes).
    """

    kernel: str
    integer: int
    convolutions: int
    run: Callable[[np.ndarray], np.ndarray]


def runtime(stored: Stored, form: Form, threads: int) -> Runtime:
    """A cell's quantized model (`integer`) or its full-precision model (`fp32`), loaded with so many CPU threads.

    Raises:
        NotExportable: if an operation of the network has no counterpart.
        MissingExtra: if onnx or onnxruntime is not installed.
    """
    return load((model.full if form == "fp32" else model.integer)(stored), threads)


def load(exported: model.Exported, threads: int) -> Runtime:
    """An exported model, loaded with so many CPU threads, which rest between passes.

    Raises:
        MissingExtra: if onnx or onnxruntime is not installed.
    """
    onnxruntime = package("onnxruntime", "export", "exporting")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry("session.force_spinning_stop", "1")
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        session = onnxruntime.InferenceSession(exported.data, options, providers=["CPUExecutionProvider"])
        integer, convolutions = kernels(package("onnx", "export", "exporting").load(options.optimized_model_filepath))

    def run(images: np.ndarray) -> np.ndarray:
        return session.run([OUTPUT], {INPUT: images})[0]

    return Runtime(_name(exported, integer, convolutions), integer, convolutions, run)


def kernels(optimised: Any) -> tuple[int, int]:
    """How many convolutions of an optimised graph run on integer kernels, and how many there are."""
    operators = [node.op_type for node in optimised.graph.node]
    integer = sum(operator in INTEGER_KERNELS for operator in operators)
    return integer, integer + sum(operator in FLOAT_KERNELS for operator in operators)


def vnni(info: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this CPU has instructions for products of bytes (AVX-512 VNNI or AVX-VNNI), as Linux says."""
    return bool(info.is_file() and re.search(r"^flags\s*:.*\bavx(512)?_vnni\b", info.read_text(), re.MULTILINE))


def _name(exported: model.Exported, integer: int, convolutions: int) -> str:
    if not exported.quantized:
        return RUNTIME_FP32
    return RUNTIME_INT8 if 2 * integer > convolutions else RUNTIME_MIXED

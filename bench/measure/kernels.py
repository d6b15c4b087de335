"""Names of what computed. Numbers of different kernels never rank."""

from __future__ import annotations

EAGER_FP32 = "eager fp32"
"""The full-precision model, layer by layer in float32."""

FAKE_QUANTIZED = "eager fake-quantized fp32"
"""A quantized model whose arithmetic is simulated: values are rounded to those of their codes, all in float32."""

RUNTIME_FP32 = "onnxruntime fp32"
"""The exported full-precision model."""

RUNTIME_INT8 = "onnxruntime int8"
"""The exported integer model, more than half of whose convolutions run on integer kernels."""

RUNTIME_MIXED = "onnxruntime mixed"
"""The exported integer model, at most half of whose convolutions run on integer kernels."""

TRAINING = "eager training"
"""A training step of a method: drawing a batch and learning from it."""

NONE = "none"
"""Nothing computed: what is counted and not timed."""

KERNELS = (EAGER_FP32, FAKE_QUANTIZED, RUNTIME_FP32, RUNTIME_INT8, RUNTIME_MIXED, TRAINING, NONE)

"""Benchmark harness and reproducibility suite for low-bit quantization of image classifiers."""

__version__ = "0.1.0"

RULES = "1"
"""Version of the harness's rules: what is evaluated, when, and how it is scored. Part of every cell id."""

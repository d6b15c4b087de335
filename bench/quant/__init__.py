"""Quantization arithmetic: grids, quantized layers, conversion, census and packed weights."""

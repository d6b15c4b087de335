"""Stored models as ONNX files that onnxruntime computes with integers."""

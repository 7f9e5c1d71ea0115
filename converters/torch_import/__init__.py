"""ONNX to torch: values under their ONNX names, one plain function per operator."""

from agnostic.converters.torch_import.module import OnnxModule, to_torch

__all__ = ["OnnxModule", "to_torch"]

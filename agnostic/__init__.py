"""The interpretability engine for ONNX models."""

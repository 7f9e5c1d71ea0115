"""Any framework to ONNX, ONNX surgery, and the one guarded way to read a model file."""

"""Keras models through tf2onnx, made by an environment that has TensorFlow; judged, like all, by the file alone.

    TENSORFLOW_PYTHON/bin/python tests/conformance/exports/keras_nets.py CACHE/keras

Each model is trained-like in float32, copied into float64 for its own gradients, and exported from float32.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from artefact import Array, Artefact, Sample, load, save

SOURCES = ("keras_nets.py",)
NAMES = (
    "cnn",
    "mobilenet_v2",
    "resnet50",
    "attention",
    "upsampling",
    "bidirectional_lstm",
    "efficientnet_b0",
    "gelu_mlp",
)


def cases(folder: Path) -> dict[str, Callable[[], Artefact]]:
    """List the models; those that were not made say how to make them."""
    return {name: (lambda n=name: _made(folder / n)) for name in NAMES}


def _made(folder: Path) -> Artefact:
    if not (folder / "notes.json").exists():
        return Artefact("tf2onnx", None, note="not made: run exports/keras_nets.py where TensorFlow is")
    return load(folder)


def build(name: str) -> Any:
    """Build one model under the float type that Keras is set to."""
    import keras
    from keras import layers

    if name in ("mobilenet_v2", "resnet50", "efficientnet_b0"):
        kinds = {"mobilenet_v2": "MobileNetV2", "resnet50": "ResNet50", "efficientnet_b0": "EfficientNetB0"}
        return getattr(keras.applications, kinds[name])(weights=None, input_shape=(32, 32, 3), classes=6)
    x = inputs = keras.Input(
        (12, 5) if name in ("attention", "bidirectional_lstm") else (10,) if name == "gelu_mlp" else (16, 16, 3)
    )
    if name == "cnn":
        for width in (8, 12):
            x = layers.SeparableConv2D(width, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
            x = layers.MaxPooling2D()(layers.LeakyReLU(0.1)(x))
        x = layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    elif name == "attention":
        x = layers.Dense(16)(x)
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 4)(x, x))
        x = layers.Dense(3)(layers.GlobalAveragePooling1D()(x))
    elif name == "upsampling":
        x = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(x)
        x = layers.UpSampling2D(2, interpolation="bilinear")(layers.Conv2D(6, 3, strides=2, padding="same")(x))
        x = layers.Conv2D(2, 1)(layers.Concatenate()([x, layers.UpSampling2D(2)(inputs)]))
    elif name == "bidirectional_lstm":
        x = layers.Dense(3)(
            layers.Bidirectional(layers.LSTM(6))(layers.Bidirectional(layers.LSTM(6, return_sequences=True))(x))
        )
    else:
        x = layers.Dense(3)(layers.Dense(16, activation="gelu")(layers.Dense(16, activation="gelu")(x)))
    return keras.Model(inputs, x)


def make(name: str) -> Artefact:
    """Export one model and ask its float64 copy for values and gradients."""
    import keras
    import tensorflow as tf
    import tf2onnx

    keras.utils.set_random_seed(0)
    keras.backend.set_floatx("float32")
    model = build(name)
    rng = np.random.default_rng(0)
    model.set_weights([_trained(w, rng) for w in model.get_weights()])
    signature = [tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32, name="x")]
    function = tf.function(lambda x: model(x, training=False), input_signature=signature)
    try:
        proto, _ = tf2onnx.convert.from_function(function, signature, opset=17)
    except Exception as error:
        return Artefact("tf2onnx", None, note=f"{type(error).__name__}: {' '.join(str(error).split())}"[:160])
    dangling = [value.name for value in proto.graph.input if value.name != "x"]
    if dangling:
        return Artefact("tf2onnx", None, note=f"the file wants inputs that the model has not: {', '.join(dangling)}")
    keras.backend.set_floatx("float64")
    double = build(name)
    double.set_weights([w.astype(np.float64) for w in model.get_weights()])
    shape = model.inputs[0].shape[1:]
    samples = tuple(
        _sample(double, proto.graph.output[0].name, rng.standard_normal((n, *shape)).astype(np.float32)) for n in (2, 3)
    )
    return Artefact("tf2onnx", proto, "x", samples)


def _trained(weight: Array, rng: np.random.Generator) -> Array:
    """Move constant weights away from their constant, variances upwards."""
    return weight if np.ptp(weight) > 0 else (weight + rng.uniform(0.0, 0.1, weight.shape)).astype(weight.dtype)


def _sample(model: Any, output: str, x: Array) -> Sample:
    import tensorflow as tf

    point = tf.constant(x.astype(np.float64))
    with tf.GradientTape() as tape:
        tape.watch(point)
        answer = model(point, training=False)
        weights = np.random.default_rng(1).standard_normal(answer.shape)
        total = tf.reduce_sum(answer * weights)
    return Sample({"x": x}, {output: weights}, tape.gradient(total, point).numpy(), answer.numpy())


if __name__ == "__main__":
    for chosen in sys.argv[2:] or NAMES:
        save(make(chosen), Path(sys.argv[1]) / chosen)
        print(chosen, flush=True)

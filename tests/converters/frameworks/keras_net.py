"""Trains a small Keras CNN on digits and saves it in every form: python keras_net.py DATA.npz FOLDER."""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

data, folder = np.load(sys.argv[1]), Path(sys.argv[2])
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((16, 16, 1), name="image"),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="edges"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="strokes"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax", name="digit"),
    ]
)
model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
x, y = data["pictures"][..., None].astype("float32"), data["labels"]
model.fit(x[:1500], y[:1500], batch_size=64, epochs=8, verbose=0)
model.save(folder / "digits.keras")
model.save(folder / "digits.h5")
model.export(folder / "saved_model", verbose=False)
(folder / "digits.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
print("accuracy", float((model.predict(x[1500:], verbose=0).argmax(1) == y[1500:]).mean()))

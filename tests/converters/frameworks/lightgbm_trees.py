"""Trains LightGBM on a table and saves it: python lightgbm_trees.py DATA.npz FOLDER."""

import sys
from pathlib import Path

import lightgbm
import numpy as np

data, folder = np.load(sys.argv[1]), Path(sys.argv[2])
names = [str(name).replace(" ", "_") for name in data["columns"]]
rows, classes = data["rows"], (data["kinds"] == "benign").astype(int)
train = lightgbm.Dataset(rows[::2], classes[::2], feature_name=names)
booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, train, 40)
booster.save_model(folder / "booster.txt")
print("accuracy", float(((booster.predict(rows[1::2]) > 0.5) == classes[1::2]).mean()))

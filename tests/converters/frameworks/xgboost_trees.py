"""Trains XGBoost on a table and saves it: python xgboost_trees.py DATA.npz FOLDER."""

import sys
from pathlib import Path

import numpy as np
import xgboost

data, folder = np.load(sys.argv[1]), Path(sys.argv[2])
names = [str(name) for name in data["columns"]]
rows, classes = data["rows"], (data["kinds"] == "benign").astype(int)
train = xgboost.DMatrix(rows[::2], classes[::2], feature_names=names)
booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, train, 40)
booster.save_model(folder / "booster.json")
guess = booster.predict(xgboost.DMatrix(rows[1::2], feature_names=names)) > 0.5
print("accuracy", float((guess == classes[1::2]).mean()))

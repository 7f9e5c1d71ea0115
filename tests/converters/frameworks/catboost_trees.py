"""Trains CatBoost on a table and saves it: python catboost_trees.py DATA.npz FOLDER."""

import sys
from pathlib import Path

import numpy as np
from catboost import CatBoostClassifier, Pool

data, folder = np.load(sys.argv[1]), Path(sys.argv[2])
rows, kinds, names = data["rows"], data["kinds"], [str(name) for name in data["columns"]]
model = CatBoostClassifier(iterations=60, depth=4, random_seed=0, verbose=False, allow_writing_files=False)
model.fit(Pool(rows[::2], kinds[::2], feature_names=names))
model.save_model(str(folder / "trees.cbm"))
print("accuracy", float((model.predict(rows[1::2]).ravel() == kinds[1::2]).mean()))

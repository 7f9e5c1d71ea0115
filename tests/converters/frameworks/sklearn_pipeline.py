"""Fits a pipeline on columns of measures and kinds and saves it: python sklearn_pipeline.py DATA.npz FOLDER."""

import sys
from pathlib import Path

import joblib
import numpy as np
import pandas
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

data, folder = np.load(sys.argv[1]), Path(sys.argv[2])
table = pandas.DataFrame(data["rows"], columns=[str(name) for name in data["columns"]])
# A column of kinds among the measures: how large the nucleus is.
table["size"] = np.digitize(table["mean radius"], table["mean radius"].quantile([0.3, 0.7])).astype(float)
measures = ["mean texture", "mean smoothness", "mean concavity", "worst area"]
columns = ColumnTransformer([("measures", StandardScaler(), measures), ("kinds", OneHotEncoder(), ["size"])])
pipeline = make_pipeline(columns, LogisticRegression()).fit(table[::2], data["kinds"][::2])
joblib.dump(pipeline, folder / "pipeline.joblib")
print("accuracy", float(pipeline.score(table[1::2], data["kinds"][1::2])))

"""Fits a pipeline on columns of numbers and words and saves it: python sklearn_pipeline.py DATA.npz FOLDER."""

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
# A column of words among the numbers: how large the nucleus is.
middle = table["mean radius"].median()
table["size"] = np.where(table["mean radius"] > middle, "large", "small")
numbers = ["mean texture", "mean smoothness", "mean concavity", "worst area"]
columns = ColumnTransformer([("numbers", StandardScaler(), numbers), ("words", OneHotEncoder(), ["size"])])
pipeline = make_pipeline(columns, LogisticRegression()).fit(table[::2], data["kinds"][::2])
joblib.dump(pipeline, folder / "pipeline.joblib")
print("accuracy", float(pipeline.score(table[1::2], data["kinds"][1::2])))

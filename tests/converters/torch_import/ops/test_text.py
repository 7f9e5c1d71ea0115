from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from agnostic.converters.torch_import import to_torch
from agnostic.errors import ConversionError


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize("skips", [0, 2])
def test_counting_n_grams(check: Any, mode: str, skips: int) -> None:
    attributes = {
        "mode": mode,
        "min_gram_length": 1,
        "max_gram_length": 2,
        "max_skip_count": skips,
        "ngram_counts": [0, 3],
        "ngram_indexes": [0, 1, 2, 3, 4],
        "pool_int64s": [2, 3, 5, 5, 6, 2, 7],
        "weights": [0.5, 1.0, 2.0, 3.0, 4.0],
    }
    x = np.array([[1, 2, 5, 6, 7, 2], [2, 9, 7, 3, 5, 6]], np.int64)
    check("TfIdfVectorizer", attributes, x, smooth=False)


def test_text_says_what_works_instead() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.STRING, [None]) for name in "xy"]
    node = helper.make_node("StringNormalizer", ["x"], ["y"], name="lower")
    with pytest.raises(ConversionError, match=r"text has no gradient.*occlusion.*\(lower\)"):
        to_torch(helper.make_model(helper.make_graph([node], "g", values[:1], values[1:])))

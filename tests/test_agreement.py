import numpy as np
import pytest

import agnostic
from agnostic.agreement import joined
from agnostic.errors import InputError, UsageError
from agnostic.explanation import Explanation


def part(values, model="a", weights=None):
    meta = {"model": model, "model_sha256": model * 4, "score": 1.0, "feature_names": ["f", "g"]}
    return Explanation(np.asarray(values, np.float32), 0.0, "class 0", "lime", meta, weights=weights)


def test_the_mean_is_of_values_of_length_one():
    found = joined([part([3.0, 4.0]), part([0.0, 7.0], "b")])
    np.testing.assert_allclose(found.explanation.values, [0.3, 0.9], atol=1e-6)
    length = np.hypot(0.3, 0.9)
    np.testing.assert_allclose(found.agreement, [(0.6 * 0.3 + 0.8 * 0.9) / length, 0.9 / length], atol=1e-6)
    assert [item["model"] for item in found.explanation.meta["models"]] == ["a", "b"]


def test_the_odd_one_out_agrees_least(linear):
    models = [linear([[2.0], [1.0], [0.0]]), linear([[2.1], [0.9], [0.0]]), linear([[0.0], [-1.0], [3.0]])]
    found = agnostic.consensus(models, np.ones(3, np.float32), "kernelshap", 0)
    units = np.array([[2, 1, 0], [2.1, 0.9, 0], [0, -1, 3]]) / np.linalg.norm(
        [[2, 1, 0], [2.1, 0.9, 0], [0, -1, 3]], axis=1, keepdims=True
    )
    np.testing.assert_allclose(found.explanation.weights, units.mean(axis=0), atol=1e-5)
    assert np.argmin(found.agreement) == 2
    assert found.explanation.method == "consensus"
    assert found.explanation.meta["of"] == "kernelshap"


def test_the_top_class_of_the_first_model_is_explained_on_all(linear):
    first, second = linear([[1.0, 2.0], [0.0, 1.0]]), linear([[5.0, 3.0], [0.0, 1.0]])
    found = agnostic.consensus([first, second], np.ones(2, np.float32), "kernelshap")
    assert [item.target for item in found.parts] == ["class 1", "class 1"]


def test_pictures_of_models_of_other_sizes_are_brought_together(opened):
    def reader(side):
        text = (
            f"g (float[n,3,{side},{side}] x) => (float[n,1] y) {{ m = Mul(x, w)  y = ReduceSum<keepdims=0>(m, axes) }}"
        )
        weights = np.zeros((1, 3, side, side), np.float32)
        weights[..., : side // 2, : side // 2] = 1 / side**2
        how = {"size": [side, side], "mean": [0.0], "std": [1.0]}
        return opened(text.replace("[n,1] y", "[n] y"), {"w": weights, "axes": np.array([1, 2, 3])}, preprocess=how)

    pixels = np.full((64, 64, 3), 200, np.uint8)
    found = agnostic.consensus([reader(32), reader(48)], pixels, "occlusion", 0, fill="black")
    assert found.explanation.values.shape == (32, 32)
    assert min(found.agreement) > 0.97
    assert found.explanation.weights is None
    assert found.figure().width > found.explanation.figure().width


def test_what_is_saved_loads_equal(linear, tmp_path):
    models = [linear([[2.0], [1.0]]), linear([[1.0], [3.0]])]
    found = agnostic.consensus(models, np.ones(2, np.float32), "kernelshap", 0).explanation
    found.save(tmp_path / "c.safetensors")
    assert Explanation.load(tmp_path / "c.safetensors") == found


def test_what_cannot_be_averaged_is_refused(linear):
    model = linear([[2.0], [1.0]])
    with pytest.raises(UsageError, match="consensus of 1 model: expected two or more"):
        agnostic.consensus([model], np.ones(2, np.float32))
    with pytest.raises(InputError, match=r"explains \[2\] positions, b \[3\]"):
        joined([part([1.0, 2.0]), part([1.0, 2.0, 3.0], "b")])
    with pytest.raises(InputError, match="b: lime is zero everywhere"):
        joined([part([1.0, 2.0]), part([0.0, 0.0], "b")])

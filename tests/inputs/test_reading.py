from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agnostic.engine.model import Model
from agnostic.errors import InputError, UsageError
from agnostic.inputs.reading import read_sample

Open = Callable[..., Model]
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def seeing(opened: Open) -> Model:
    return opened("""g (float[n,3,8,8] left, float[n,1,4,4] right, float[n,2] mix) => (float[n,2] y) {
        a = ReduceMean<axes=[1,2,3], keepdims=0>(left)
        b = ReduceMean<axes=[1,2,3], keepdims=0>(right)
        c = Add(a, b)
        axis = Constant<value = int64[1] {1}>()
        d = Unsqueeze(c, axis)
        y = Mul(d, mix)
    }""")


@pytest.fixture(scope="module")
def rows(opened: Open) -> Model:
    return opened("g (float[n,3] x, float[n,3] more) => (float[n,3] y) { y = Add(x, more) }")


def test_a_picture_in_every_guise_is_the_same_sample(seeing: Model, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path)
    guises: list[Any] = [path, str(path), Image.fromarray(PIXELS), PIXELS, {"": path}, {"left": PIXELS}]
    samples = [read_sample(seeing, guise, features="grid:2") for guise in guises]
    samples.append(read_sample(seeing, samples[0].arrays["left"], features="grid:2"))
    samples.append(read_sample(seeing, {"left": samples[0].arrays["left"][0]}, features="grid:2"))
    np.save(tmp_path / "a.npy", samples[0].arrays["left"])
    samples.append(read_sample(seeing, tmp_path / "a.npy", features="grid:2"))
    for sample in samples:
        assert (sample.source, sample.features.is_grid) == ("left", True)
        assert np.allclose(sample.arrays["left"], samples[0].arrays["left"], atol=1e-6)
        assert np.array_equal(sample.features.labels, samples[0].features.labels)
        assert any("input right" in note and "zeros assumed" in note for note in sample.notes)


def test_a_second_picture_a_row_and_a_number_beside_the_first(seeing: Model, tmp_path: Path) -> None:
    Image.new("L", (9, 9), 255).save(tmp_path / "white.png")
    given = {"": PIXELS, "right": tmp_path / "white.png", "mix": [1, 2]}
    sample = read_sample(seeing, given)
    assert sample.source == "left"
    assert np.array_equal(sample.arrays["right"], np.ones((1, 1, 4, 4)))
    assert sample.arrays["mix"].tolist() == [[1, 2]]
    assert not any("was not given" in note for note in sample.notes)
    assert read_sample(seeing, {"left": PIXELS, "mix": "0.5"}).arrays["mix"].tolist() == [[0.5, 0.5]]


def test_the_input_that_is_explained_can_be_named(seeing: Model) -> None:
    sample = read_sample(seeing, {"left": PIXELS, "right": np.zeros((4, 4), np.uint8)}, source="right", fill="white")
    assert (sample.source, sample.features.shape) == ("right", (4, 4))
    assert (sample.features.fill == 1).all()
    sample = read_sample(seeing, {"left": PIXELS, "mix": np.ones(2)}, source="mix")
    assert (sample.source, sample.features.is_grid, sample.features.count) == ("mix", False, 2)
    assert read_sample(seeing, {"mix": np.ones(2), "left": PIXELS}).source == "left", "the picture comes first"
    with pytest.raises(UsageError, match="the input 'right' is to be explained but was not given"):
        read_sample(seeing, {"left": PIXELS}, source="right")


@pytest.mark.parametrize("given", [np.array([1, 2, 3]), [1, 2, 3], (1.0, 2, 3), np.array([[1, 2, 3]], np.int8)])
def test_a_row_in_every_guise(rows: Model, given: Any) -> None:
    sample = read_sample(rows, given, baseline=5, features=np.array([0, 0, 1]))
    assert sample.arrays["x"].tolist() == [[1, 2, 3]]
    assert (sample.features.count, sample.features.fill.tolist()) == (2, [[5, 5, 5]])


@pytest.mark.parametrize("number", [2, 2.0, "2", np.float32(2), np.array(2)])
def test_a_number_fills_its_input(rows: Model, number: Any) -> None:
    assert read_sample(rows, number).arrays["x"].tolist() == [[2, 2, 2]]


def test_numbers_for_whole_inputs_are_rounded(opened: Open) -> None:
    model = opened("g (int64[n,2] x) => (int64[n,2] y) { y = Identity(x) }")
    assert read_sample(model, 2.6).arrays["x"].tolist() == [[3, 3]]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, InputError, "no input was given"),
        (None, InputError, "got a NoneType"),
        (b"abc", InputError, "expected numbers in rows of equal length, got a bytes"),
        ([[1, 2], [3]], InputError, "expected numbers in rows of equal length, got a list"),
        (object(), InputError, "got a object"),
        ({"z": 1}, UsageError, "unknown input 'z'"),
        ({"x": [1, 2, 3], "mor": 1}, UsageError, "unknown input 'mor'; did you mean 'more'"),
        ("cat.png", InputError, "none of the inputs is a picture"),
        ("gone.npy", InputError, "gone.npy: cannot be read as an array: No such file"),
        ("nan", InputError, "holds NaN or infinite values"),
        (PIXELS, InputError, "got an array of shape [8, 8, 3]"),
        ([1, 2, 3, 4], InputError, "expected size 3 along axis 1"),
    ],
)  # fmt: skip
def test_what_fits_nothing_is_refused(rows: Model, given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        read_sample(rows, given)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_pieces_of_a_picture_are_refused_for_rows(rows: Model) -> None:
    with pytest.raises(UsageError, match="features 'grid:7' are pieces of a picture; the input 'x' is none"):
        read_sample(rows, [1, 2, 3], features="grid:7")


def test_tensors_of_other_frameworks_are_arrays(rows: Model) -> None:
    class Tensor:
        """What torch, jax and others have in common."""

        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return np.array([[1, 2, 3]], dtype)

    assert read_sample(rows, Tensor()).arrays["x"].tolist() == [[1, 2, 3]]


def test_hidden_planes_are_explained_entry_by_entry(opened: Open) -> None:
    model = opened("g (float[n,10,2,2] x) => (float[n,10,2,2] y) { y = Relu(x) }")
    sample = read_sample(model, np.ones((10, 2, 2)))
    assert (sample.features.is_grid, sample.features.count) == (False, 40)

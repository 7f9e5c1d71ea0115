import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agnostic.engine.model import Model
from agnostic.errors import InputError, UsageError
from agnostic.inputs.array import array_sample, complete, read_array

Open = Callable[..., Model]


@pytest.fixture(scope="module")
def model(opened: Open) -> Model:
    return opened("""g (float[n,4] x, int64[n,2] ids, float[3] scale, float bias) => (float[n,4] y) {
        some = Cast<to=1>(ids)
        mean = ReduceMean<axes=[1], keepdims=1>(some)
        first = Add(x, mean)
        size = ReduceMean<keepdims=0>(scale)
        second = Mul(first, size)
        y = Add(second, bias)
    }""")


def test_every_entry_is_a_feature(model: Model) -> None:
    sample = array_sample(model, {"x": np.arange(4)}, baseline=9.0)
    features = sample.features
    assert (sample.source, sample.name, sample.picture) == ("x", "array", None)
    assert (features.shape, features.count, features.is_grid) == ((4,), 4, False)
    assert features.names == ("feature 0", "feature 1", "feature 2", "feature 3")
    assert features.x.tolist() == [[0, 1, 2, 3]] and features.fill.tolist() == [[9] * 4]
    out = np.empty((2, 4), np.float32)
    features.blend(np.array([[True, False, True, False], [False] * 4]), {sample.source: out})
    assert out.tolist() == [[0, 9, 2, 9], [9, 9, 9, 9]]


def test_inputs_that_were_not_given_are_zero_and_said_so(model: Model) -> None:
    sample = array_sample(model, {"x": np.ones((1, 4))})
    assert {name: value.tolist() for name, value in sample.arrays.items()} == {
        "x": [[1, 1, 1, 1]], "ids": [[0, 0]], "scale": [0, 0, 0], "bias": 0,
    }  # fmt: skip
    assert [note.split(" was not given")[0] for note in sample.notes] == [
        "input ids int64 [n, 2]", "input scale float32 [3]", "input bias float32 []",
    ]  # fmt: skip
    assert "zeros assumed; give it as ids=FILE.npy or a number" in sample.notes[0]


def test_a_baseline_per_entry(model: Model) -> None:
    assert array_sample(model, {"x": np.ones(4)}, baseline=[1, 2, 3, 4]).features.fill.tolist() == [[1, 2, 3, 4]]
    with pytest.raises(UsageError, match=r"baseline: shape \[3\] does not fit the input \[1, 4\]"):
        array_sample(model, {"x": np.ones(4)}, baseline=[1, 2, 3])


def test_entries_in_groups(model: Model) -> None:
    features = array_sample(model, {"x": np.ones(4)}, labels=np.array([0, 1, 1, 0])).features
    assert (features.count, features.labels.dtype, features.sizes.tolist()) == (2, np.int32, [2, 2])


@pytest.mark.parametrize("labels", [[1, 2, 3, 4], [0, 2, 2, 0], [-1, 0, 1, 2], [0.0, 1.0, 1.0, 0.0]])
def test_groups_that_do_not_count_up_are_refused(model: Model, labels: list[float]) -> None:
    with pytest.raises(UsageError, match="integers that count up from 0 without gaps"):
        array_sample(model, {"x": np.ones(4)}, labels=np.array(labels))


def test_groups_of_another_shape_are_refused(model: Model) -> None:
    with pytest.raises(UsageError, match=r"label map has shape \[3\], expected \[4\]"):
        array_sample(model, {"x": np.ones(4)}, labels=np.array([0, 1, 2]))


def test_another_input_can_be_explained(model: Model) -> None:
    given = {"x": np.ones(4), "ids": np.array([3, 4]), "scale": np.ones(3), "bias": np.array(1)}
    sample = array_sample(model, given, source="ids", baseline=7)
    assert sample.features.x.tolist() == [[3, 4]] and sample.features.fill.tolist() == [[7, 7]]
    assert sample.arrays["ids"].dtype == np.int64 and sample.notes == ()


@pytest.mark.parametrize("source", ["scale", "bias"])
def test_an_input_without_rows_cannot_be_explained(model: Model, source: str) -> None:
    given = {"x": np.ones(4), "ids": np.ones(2), "scale": np.ones(3), "bias": np.array(1)}
    with pytest.raises(InputError, match="has no entries behind a batch axis: explain another input"):
        array_sample(model, given, source=source)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((2, 4)), "got 2 rows; an explanation is of one, give x[:1]"),
        (np.ones((1, 1, 4)), "got an array of shape [1, 1, 4]"),
        (np.ones(3), "expected size 4 along axis 1"),
        (np.array(1.0), "got an array of shape []"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(model: Model, x: np.ndarray, message: str) -> None:
    with pytest.raises(InputError) as caught:
        array_sample(model, {"x": x})
    assert message in str(caught.value)


def test_of_a_fixed_batch_one_row_is_given_and_completed(opened: Open) -> None:
    model = opened("g (float[4,2] x, float[4,2] more) => (float[4,2] y) { y = Add(x, more) }")
    arrays, notes = complete(model, {"x": np.ones((1, 2))})
    assert arrays["more"].shape == (1, 2) and len(notes) == 1
    assert model.run(arrays)["y"].tolist() == [[1, 1]]
    with pytest.raises(InputError, match="got 4 rows; an explanation is of one"):
        array_sample(model, {"x": np.ones((4, 2))})


def test_arrays_are_read_from_plain_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    assert read_array(tmp_path / "a.npy").tolist() == [0, 1, 2]


class Trap:
    """Writes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.path,))


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    np.save(tmp_path / "objects.npy", np.array([Trap(sprung)]), allow_pickle=True)
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(Trap(sprung)))
    for name in ("objects.npy", "bare.npy"):
        with pytest.raises(InputError, match=r"not a plain \.npy array"):
            read_array(tmp_path / name)
    assert not sprung.exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "many.npy", a=np.ones(2), b=np.ones(2))
    (tmp_path / "many.npy.npz").rename(tmp_path / "many.npy")
    with pytest.raises(InputError, match="an archive of several arrays"):
        read_array(tmp_path / "many.npy")
    with pytest.raises(InputError, match="No such file"):
        read_array(tmp_path / "gone.npy")
    (tmp_path / "empty.npy").touch()
    with pytest.raises(InputError, match="cannot be read as an array"):
        read_array(tmp_path / "empty.npy")
    with (tmp_path / "large.npy").open("wb") as file:
        file.truncate(2**28 + 1)
    with pytest.raises(InputError, match="larger than 256 MB"):
        read_array(tmp_path / "large.npy")

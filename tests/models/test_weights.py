"""Weights come out of pickles whole, and nothing else comes out of them."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from agnostic.errors import ModelError
from agnostic.models.weights import read_arrays, read_torch


class Touch:
    """A pickle of this creates a file when it is read by pickle.load."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.path,)


def legacy(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def test_arrays_come_back_equal() -> None:
    given = {"layer": [np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1.5], np.float32)]}
    # numpy 2 writes a module name that the published file, written by numpy 1, does not have.
    data = pickle.dumps(given, protocol=3).replace(b"numpy._core", b"numpy.core")
    read = read_arrays(data)
    assert list(read) == ["layer"]
    for got, expected in zip(read["layer"], given["layer"], strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_pickle_that_acts_is_refused_and_does_not_act(tmp_path: Path) -> None:
    data = pickle.dumps({"weights": Touch(tmp_path / "touched")}, protocol=2)
    with pytest.raises(ModelError, match="which weights do not need"):
        read_arrays(data)
    assert not (tmp_path / "touched").exists()
    pickle.loads(data)
    assert (tmp_path / "touched").exists()


def test_a_checkpoint_that_acts_is_refused_and_does_not_act(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="which weights do not need"):
        read_torch(legacy({"weights": Touch(tmp_path / "touched")}))
    assert not (tmp_path / "touched").exists()


def test_tensors_come_back_equal_whatever_their_strides() -> None:
    whole = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    given = {
        "whole": whole,
        "turned": whole.permute(2, 0, 1),
        "part": whole[1, :, 1:3],
        "spread": torch.ones(1).expand(3, 2),
        "count": torch.tensor(7),
    }
    read = read_torch(legacy(given))
    assert list(read) == list(given)
    for name, tensor in given.items():
        np.testing.assert_array_equal(read[name], tensor.numpy())


def test_a_window_outside_its_storage_is_refused() -> None:
    data = legacy({"weights": torch.arange(4, dtype=torch.float32)})
    # The shape (4,) and stride (1,) are written as K\x04 \x85 and K\x01 \x85: widen the shape to 200.
    wider = data.replace(b"K\x04\x85", b"K\xc8\x85")
    assert wider != data
    with pytest.raises(ModelError, match="does not lie inside its storage"):
        read_torch(wider)


def test_another_format_is_refused() -> None:
    with pytest.raises(ModelError, match="not a legacy PyTorch checkpoint"):
        read_torch(pickle.dumps(42, protocol=2))

import numpy as np
import torch

from agnostic.converters.torch_import.ops import sequences

A, B = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]])
INDEX = torch.tensor(-2)


def test_building_and_reading() -> None:
    items = sequences.insert(sequences.construct(A, B), B * 2, torch.tensor(1))
    assert [item[0, 0].item() for item in items] == [1, 6, 3]
    assert sequences.at(items, INDEX) is items[1]
    assert sequences.length(sequences.erase(items)).item() == 2
    assert sequences.erase(items, INDEX)[1] is B
    assert sequences.empty() == []


def test_splitting_and_joining_are_inverse() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    for lengths in (None, torch.tensor(2), torch.tensor([1, 2])):
        assert torch.equal(sequences.concat(sequences.split(x, lengths, axis=1), axis=1), x)
    rows = sequences.split(x, axis=0, keepdims=0)
    np.testing.assert_array_equal(sequences.concat(rows, axis=1, new_axis=1), x.T)


def test_optionals() -> None:
    assert not sequences.has_element(sequences.optional())
    assert sequences.has_element(sequences.optional(A))
    assert sequences.get_element(A) is A

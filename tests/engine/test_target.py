import numpy as np
import pytest

from agnostic.engine.target import Target, Term

CAT, CUP = Target((Term("y", (1,)),), "cat"), Target((Term("y", (2,)),), "cup")
VALUES = {"y": np.array([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]], np.float32)}


def test_a_target_reads_one_number_per_row() -> None:
    assert CAT.read(VALUES).tolist() == [10, 20]
    assert CAT.read(VALUES).dtype == np.float64


@pytest.mark.parametrize(
    ("target", "name", "key", "value"),
    [
        (CAT + CUP, "cat + cup", "y[1] + y[2]", 110),
        (CAT - CUP, "cat - cup", "y[1] - y[2]", -90),
        (0.5 * CAT, "0.5*cat", "0.5*y[1]", 5),
        (CAT * -1, "-1*cat", "- y[1]", -10),
        (1 * CAT, "cat", "y[1]", 10),
        (CAT - 0.5 * CUP, "cat - 0.5*cup", "y[1] - 0.5*y[2]", -40),
        (0.5 * (CAT - CUP), "0.5*(cat - cup)", "0.5*y[1] - 0.5*y[2]", -45),
        (CAT - (CAT - CUP), "cat - (cat - cup)", "y[1] - y[1] + y[2]", 100),
        (CAT + CUP + CAT, "cat + cup + cat", "y[1] + y[2] + y[1]", 120),
    ],
)
def test_the_algebra_of_targets(target: Target, name: str, key: str, value: float) -> None:
    assert (str(target), target.key, target.read(VALUES)[0]) == (name, key, value)


def test_a_free_axis_is_averaged() -> None:
    maps = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    term = Term("a", (1, None, None))
    assert term.of(maps).tolist() == [5.5, 17.5]
    assert str(term) == "a[1,:,:]"


def test_each_tensor_is_fetched_once_in_order_of_first_use() -> None:
    other = Target((Term("b", (0,)),), "b")
    assert (CAT - other + CUP).tensors == ("y", "b")


def test_half_precision_is_read_without_losing_the_sum() -> None:
    big = np.full((1, 1, 4), 60000, np.float16)
    assert Term("a", (0, None)).of(big)[0] == np.float64(np.float16(60000))

import numpy as np
import pytest
import torch

from agnostic.errors import UsageError
from agnostic.optvis import objectives as o

VECTOR = np.array([0.5, -2.0, 1.0, 0.25], np.float32)


def compared(x, y, power, axis=1):
    """Derive it position by position, without a clamp."""
    dot = (x * y).sum(axis=axis)
    if power == 0:
        return dot
    cosine = dot / (np.sqrt((x * x).sum(axis=axis)) + 1e-4) / (np.sqrt((y * y).sum(axis=axis)) + 1e-4)
    return np.where(cosine > 0.1, dot * np.abs(cosine) ** power, dot * 0.1**power)


def shaped(vector):
    return vector[None, :, None, None]


@pytest.mark.parametrize("power", [0, 1, 2, 0.5])
def test_a_direction(power, seen, ort, agree):
    maps = ort.before("clip")
    agree(o.direction("clip", VECTOR, power)(seen), compared(maps, shaped(VECTOR), power).mean(axis=(1, 2)))


def test_there_are_angles_on_both_sides_of_the_floor(ort):
    maps = ort.before("clip")
    cosine = (maps * shaped(VECTOR)).sum(axis=1) / np.linalg.norm(maps, axis=1) / np.linalg.norm(VECTOR)
    assert (cosine < 0).sum() > 10 and (cosine > 0.1).sum() > 10


def test_the_floor_keeps_a_contrary_direction_from_looking_alike():
    along, against = torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]])
    assert o.dot_cossim(against, along, 1).item() == pytest.approx(-0.1)
    # Squared, the cosine itself would make opposite and same equal but for the sign.
    assert o.dot_cossim(against, along, 2).item() == pytest.approx(-0.01)
    assert o.dot_cossim(along, along, 2).item() == pytest.approx(1, abs=1e-3)


def test_a_direction_is_a_dot_product_and_no_cosine(seen, agree):
    # Twice the vector is twice the objective, and length counts: a pure cosine knows neither.
    once, twice = (o.direction("clip", factor * VECTOR)(seen) for factor in (1, 2))
    agree(twice, 2 * once.numpy())
    cosine = o.direction_cossim("clip", VECTOR)(seen)
    agree(o.direction_cossim("clip", 2 * VECTOR)(seen), cosine.numpy(), rtol=1e-3)
    assert (cosine.abs() < 1).all() and (once.abs() > 1).any()


def test_a_pure_cosine_by_its_name(seen, ort, agree):
    maps = ort.before("clip")
    cosine = (maps * shaped(VECTOR)).sum(axis=1) / np.linalg.norm(maps, axis=1) / np.linalg.norm(VECTOR)
    agree(o.direction_cossim("clip", VECTOR)(seen), cosine.mean(axis=(1, 2)), rtol=1e-3)


def test_a_unit_is_a_direction(seen, agree):
    agree(o.direction("clip", np.eye(4)[2])(seen), o.channel("clip", 2)(seen).numpy())
    agree(o.direction_neuron("clip", np.eye(4)[2], 1, 2)(seen), o.neuron("clip", 2, 1, 2)(seen).numpy())


@pytest.mark.parametrize("power", [0, 1])
def test_a_direction_at_a_position(power, seen, ort, agree):
    maps = ort.before("clip")
    agree(o.direction_neuron("clip", VECTOR, cossim_pow=power)(seen), compared(maps[..., 3, 3], VECTOR[None], power))
    agree(o.direction_neuron("clip", VECTOR, 4, 1, power)(seen), compared(maps[..., 1, 4], VECTOR[None], power))


@pytest.mark.parametrize("power", [0, 1])
@pytest.mark.parametrize(
    ("size", "place"),
    [
        ((1, 1), (3, 3)),
        ((3, 2), (2, 2)),
        ((2, 3), (2, 2)),
        ((7, 6), (0, 0)),
        ((6, 5), (0, 1)),
    ],
)
def test_a_tensor_lies_on_the_middle(size, place, power, seen, ort, agree, rng):
    # The middle is where a neuron's is, on even sides too.
    vector = rng.normal(size=(4, *size)).astype(np.float32)
    part = ort.before("clip")[:, :, place[0] : place[0] + size[0], place[1] : place[1] + size[1]]
    found = o.tensor_direction("clip", vector, power)(seen)
    agree(found, compared(part, vector[None], power).mean(axis=(1, 2)))


def test_the_middle_of_an_even_layer(seen, ort, agree, rng):
    vector = rng.normal(size=(6, 3, 3)).astype(np.float32)
    part = ort.before("relu")[:, :, 7:10, 6:9]
    agree(o.tensor_direction("relu", vector)(seen), (part * vector).sum(axis=1).mean(axis=(1, 2)))


def test_whitening_divides_by_how_units_vary_together(rng):
    activations = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4))
    white = o.whitened(VECTOR, activations)
    assert white.dtype == np.float32
    # v = white (A^T A / n): what was taken off comes back.
    np.testing.assert_allclose(white @ (activations.T @ activations / 50), VECTOR, rtol=1e-3)
    np.testing.assert_allclose(white, VECTOR @ np.linalg.inv(activations.T @ activations / 50), rtol=1e-3)


def test_every_position_counts_in_whitening(rng):
    maps = rng.normal(size=(5, 4, 3, 2))
    rows = maps.transpose(0, 2, 3, 1).reshape(-1, 4)
    np.testing.assert_allclose(o.whitened(VECTOR, maps), o.whitened(VECTOR, rows), rtol=1e-4)


def test_a_unit_that_never_does_anything_has_no_part(rng):
    activations = rng.normal(size=(50, 4))
    activations[:, 1] = 0
    white = o.whitened(VECTOR, activations)
    rest = [0, 2, 3]
    assert abs(white[1]) < 1e-12
    np.testing.assert_allclose(white[rest], o.whitened(VECTOR[rest], activations[:, rest]), rtol=1e-4)


@pytest.mark.parametrize("power", [0, 1])
def test_a_whitened_direction(power, seen, ort, agree, rng):
    activations = rng.normal(size=(50, 4))
    white = VECTOR @ np.linalg.inv(activations.T @ activations / 50)
    found = o.whitened_direction("clip", VECTOR, activations, 1, 2, power)(seen)
    agree(found, compared(ort.before("clip")[..., 2, 1], white[None], power), rtol=1e-3)


def test_a_layer_that_is_off_everywhere_has_a_gradient_that_is_finite():
    x = torch.zeros(1, 4, 2, 2, requires_grad=True)
    o.dot_cossim(x, torch.from_numpy(shaped(VECTOR)), 1).sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: o.direction("clip", [1, 2, 3]),
            "'clip' has 4 units, the direction has 3 numbers: give one for each unit",
        ),
        (lambda: o.direction("clip", np.ones((2, 4))), "the direction is [2, 4]; expected (C,)"),
        (lambda: o.direction("clip", [1, np.nan, 0, 0]), "the direction holds NaN or infinite numbers"),
        (lambda: o.tensor_direction("clip", [1, 2]), "the direction is [2]; expected (C, h, w)"),
        (
            lambda: o.tensor_direction("clip", np.ones((4, 8, 1))),
            "'clip' is [4, 7, 6], the direction [4, 8, 1]: expected as many units and no more positions",
        ),
        (lambda: o.direction_neuron("clip", VECTOR, x=9), "'clip' has 6 x 7 positions, there is none at x=9, y=3"),
        (
            lambda: o.whitened_direction("clip", VECTOR, np.ones((9, 3))),
            "the activations have 3 units, the direction has 4 numbers",
        ),
        (
            lambda: o.whitened_direction("clip", VECTOR, np.ones(9)),
            "the activations is [9]; expected (n, C) or (n, C, h, w)",
        ),
    ],
)
def test_what_does_not_fit_is_said(make, message, seen):
    with pytest.raises(UsageError) as caught:
        make()(seen)
    assert str(caught.value).startswith(message)

import numpy as np
import pytest
import torch

from agnostic.engine.target import Projection, Target
from agnostic.errors import ItemError, UsageError
from agnostic.optvis import params, render
from agnostic.optvis.lens import Lens, Seen
from agnostic.optvis.objective import Objective, as_objective, objective, of_target

NET = """g (float[n,3,h,w] x) => (float[n,2] y) {
    a = Conv(x, wa) r = Relu(a) b = Conv(r, wb) c = Clip(b, zero, six)
    p = GlobalAveragePool(c) y = Flatten(p)
}"""


@pytest.fixture(scope="module")
def lens(opened):
    rng = np.random.default_rng(0)
    weights = {"wa": rng.normal(size=(4, 3, 3, 3)), "wb": rng.normal(size=(2, 4, 1, 1))}
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    labels = {"agnostic.labels": '["cat, tom", "cup"]'}
    return Lens(opened(NET, {**weights, "zero": np.float32(0), "six": np.float32(6)}, metadata=labels))


@pytest.fixture
def seen(lens, rng):
    pictures = torch.from_numpy(rng.random((3, 3, 8, 10), np.float32))
    return Seen(lens, pictures, pictures)


@objective
def just(*values):
    """Give these numbers, one for each picture."""
    return lambda seen: torch.tensor(values)[list(seen.numbers)]


@objective(couples=True)
def rank():
    """Count the pictures that are darker."""
    return lambda seen: (seen.pictures.mean(dim=(1, 2, 3)).argsort().argsort()).float()


A, B = just(1.0, 2.0, 3.0), just(10.0, 20.0, 30.0)


@pytest.mark.parametrize(
    ("aim", "values", "name"),
    [
        (A + B, [11, 22, 33], "just(1, 2, 3) + just(10, 20, 30)"),
        (A - B, [-9, -18, -27], "just(1, 2, 3) - just(10, 20, 30)"),
        (A * B, [10, 40, 90], "just(1, 2, 3) * just(10, 20, 30)"),
        (A * 2, [2, 4, 6], "just(1, 2, 3) * 2"),
        (0.5 * A, [0.5, 1, 1.5], "0.5 * just(1, 2, 3)"),
        (-A, [-1, -2, -3], "-just(1, 2, 3)"),
        (A + 1, [2, 3, 4], "just(1, 2, 3) + 1"),
        (1 + A, [2, 3, 4], "1 + just(1, 2, 3)"),
        (1 - A, [0, -1, -2], "1 - just(1, 2, 3)"),
        (A - 1, [0, 1, 2], "just(1, 2, 3) - 1"),
        (sum([A, B]), [11, 22, 33], "just(1, 2, 3) + just(10, 20, 30)"),
        (Objective.sum([A, B, A]), [12, 24, 36], "just(1, 2, 3) + just(10, 20, 30) + just(1, 2, 3)"),
        (B - (A - 1), [10, 19, 28], "just(10, 20, 30) - (just(1, 2, 3) - 1)"),
        (2 * (A + B), [22, 44, 66], "2 * (just(1, 2, 3) + just(10, 20, 30))"),
        (-(A - B), [9, 18, 27], "-(just(1, 2, 3) - just(10, 20, 30))"),
        (A * (1 - B) * 2, [-18, -76, -174], "just(1, 2, 3) * (1 - just(10, 20, 30)) * 2"),
        (np.float64(2) * A, [2, 4, 6], "2 * just(1, 2, 3)"),
        (A * np.float32(2), [2, 4, 6], "just(1, 2, 3) * 2"),
    ],
)
def test_objectives_join_and_their_names_with_them(aim, values, name, seen):
    assert aim(seen).tolist() == values
    assert str(aim) == aim.name == name


def test_weights_do_not_compound(seen):
    # Not ((1 * 2) + 10) * 3: each weight is of its own objective.
    assert (A * 2 + B * 3)(seen).tolist() == [32, 64, 96]
    assert (2 * A + 3 * B - 4 * A)(seen).tolist() == [28, 56, 84]
    assert Objective.sum([2 * A, 3 * B])(seen).tolist() == [32, 64, 96]


def test_joining_leaves_the_operands_as_they_were(seen):
    a, b = just(1.0, 2.0, 3.0), just(10.0, 20.0, 30.0)
    _ = a - b, a * 5, a * b, -a, 2 - a, Objective.sum([a, b]), Objective.each([a, b, a])
    c = a
    c += b
    assert a(seen).tolist() == [1, 2, 3] and b(seen).tolist() == [10, 20, 30] and c(seen).tolist() == [11, 22, 33]
    assert a.name == "just(1, 2, 3)" and b.name == "just(10, 20, 30)"


def test_only_objectives_and_numbers_join():
    for wrong in ("clip:1", None, [1]):
        with pytest.raises(UsageError, match="cannot be joined to an objective; expected an objective or a number"):
            A + wrong
    with pytest.raises(UsageError, match="a sum of no objectives: expected at least one"):
        Objective.sum([])


def test_who_compares_pictures_says_so(seen):
    assert rank().couples and not A.couples
    assert all(item.couples for item in (A + rank(), rank() * 2, -rank(), 1 - rank(), Objective.sum([A, rank()])))
    assert sorted(rank()(seen).tolist()) == [0, 1, 2]


def test_each_picture_its_own(seen):
    each = Objective.each([A, B, 2 * A])
    assert each(seen).tolist() == [1, 20, 6]
    assert each.name == "just(1, 2, 3), just(10, 20, 30), 2 * just(1, 2, 3)"


def test_a_layer_is_shared_between_each_pictures_objectives(lens, seen, monkeypatch):
    runs, run = [], lens.run
    monkeypatch.setattr(lens, "run", lambda *args: runs.append(1) or run(*args))
    found = Objective.each([as_objective(name, lens) for name in ("c:0", "c:1", "c:0")])(seen)
    maps = seen("c").mean(dim=(2, 3))
    torch.testing.assert_close(found, torch.stack([maps[0, 0], maps[1, 1], maps[2, 0]]))
    assert len(runs) == 1


def test_one_number_is_every_pictures(seen):
    assert Objective(lambda seen: seen("input").sum() * 0 + 4, "four")(seen).tolist() == [4, 4, 4]


def test_a_function_that_forgets_an_axis_is_told(seen):
    aim = Objective(lambda seen: seen("c")[:, 0], "unreduced")
    message = r"the objective unreduced gives \(3, 6, 8\): expected one number for each of the 3 pictures; take a mean"
    with pytest.raises(UsageError, match=message):
        aim(seen)


def behind(lens, pictures, name):
    return lens.model.run(pictures.numpy(), [name])[name]


@pytest.mark.parametrize(
    ("given", "derive"),
    [
        ("c:1", lambda b, y: b[:, 1].mean(axis=(1, 2))),
        ("c:1@2,5", lambda b, y: b[:, 1, 2, 5]),
        ("cup", lambda b, y: y[:, 1]),
        ("TOM", lambda b, y: y[:, 0]),
        (1, lambda b, y: y[:, 1]),
        (np.int64(1), lambda b, y: y[:, 1]),
        ("y[0]", lambda b, y: y[:, 0]),
        ("cup - 0.5*c:1", lambda b, y: y[:, 1] - 0.5 * b[:, 1].mean(axis=(1, 2))),
    ],
)
def test_what_a_person_types(given, derive, lens, seen):
    # A layer is read before its activation function: c is the clipped b.
    aim = as_objective(given, lens)
    found, y = (behind(lens, lens.space.to_model(seen.pictures), name) for name in ("b", "y"))
    np.testing.assert_allclose(aim(seen), derive(found, y), rtol=1e-4, atol=1e-5)
    assert aim.name == str(lens.model.target(given))


def test_a_target_an_objective_and_a_function_are_taken_as_well(lens, seen):
    target = lens.model.target("cup")
    assert as_objective(target, lens)(seen).tolist() == of_target(target)(seen).tolist()
    assert as_objective(A, lens) is A

    def brightness(seen):
        return seen("input").mean(dim=(1, 2, 3))

    made = as_objective(brightness, lens)
    # Nobody knows what a function does with the pictures of a batch.
    assert made.name == "brightness" and made.couples


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("cupp", "unknown target 'cupp'; did you mean 'cup'?"),
        ("d:1", "unknown layer 'd'"),
        ("c:2", "'c' has the units 0 to 1, not 2"),
        ("", "the target is empty"),
        (None, "the objective None is a NoneType; give an objective, layer:unit or a class"),
    ],
)
def test_what_cannot_be_read_is_said(given, message, lens):
    with pytest.raises(UsageError) as caught:
        as_objective(given, lens)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_a_position_outside_the_picture(lens, seen):
    with pytest.raises(ItemError, match=r"c\[1,6,0\] does not exist on a picture of this size, where c is \[2, 6, 8\]"):
        as_objective("c:1@6,0", lens)(seen)


def test_a_sum_of_weighted_objectives_renders_as_each_would_score(lens):
    # What the loop records is what the parts give on the very pictures.
    parts = [as_objective(name, lens) for name in ("c:0", "c:1")]
    settings = {"param": params.image(8), "steps": 1, "transforms": ()}
    together = render(lens, 2 * parts[0] - 3 * parts[1], **settings)
    alone = [render(lens, part, **settings).values for part in parts]
    np.testing.assert_allclose(together.values, 2 * alone[0] - 3 * alone[1], rtol=1e-4)
    assert together.recipe["objective"] == "2 * c:0 - 3 * c:1"


def test_a_projection_is_the_inner_product_of_its_tensor(lens):
    numbers = np.random.default_rng(1).normal(size=(1, 2, 5, 5)).astype(np.float32)
    target = Target((Projection("b", numbers, "a direction", 0.5),), "a direction")
    picture = torch.rand(3, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    found = as_objective(target, lens)(Seen(lens, picture, picture))
    held = lens.model.run(lens.space.to_model(picture).numpy(), ["b"])["b"]
    np.testing.assert_allclose(found.numpy(), 0.5 * (held * numbers).sum(axis=(1, 2, 3)), rtol=1e-4)

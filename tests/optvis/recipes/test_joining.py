import numpy as np

from agnostic.optvis.recipes.joining import in_turn, joined
from agnostic.optvis.rendering import Rendering


def made(start, count, stopped="", stops=(2, 4)):
    pictures = np.arange(start, start + count, dtype=np.float32).reshape(-1, 1, 1, 1) * np.ones(
        (1, 2, 2, 3), np.float32
    )
    values = np.full((4, count), start, np.float32)
    recipe = {"objective": f"o{start}", "steps": 4}
    names = tuple(f"unit {start + number}" for number in range(count))
    return Rendering(
        pictures, {stop: pictures + stop for stop in stops}, values, np.arange(count) > 0, stopped, recipe, names
    )


def test_renderings_are_joined_in_order():
    whole = joined([made(0, 2), made(5, 1, "time", stops=(2,))])
    assert whole.pictures[:, 0, 0, 0].tolist() == [0, 1, 5]
    assert list(whole.snapshots) == [2] and whole.snapshots[2][:, 0, 0, 0].tolist() == [2, 3, 7]
    assert whole.values.tolist() == [[0, 0, 5]] * 4
    assert whole.moved.tolist() == [False, True, False]
    assert (whole.stopped, whole.recipe) == ("time", {"objective": "o0, o5", "steps": 4})
    assert whole.names == ("unit 0", "unit 1", "unit 5")


def test_one_rendering_stays_itself():
    assert joined([only := made(3, 2)]) is only


def test_what_is_stopped_stops_the_rest(net, order):
    parts, asked = order(net, "relu:0", "relu:1", "relu:2").each(), []

    def make(part):
        asked.append(part.names)
        return made(len(asked), 1, "interrupt" if len(asked) == 2 else "")

    whole = in_turn(parts, make)
    assert asked == [("relu:0",), ("relu:1",)]
    assert whole.stopped == "interrupt" and len(whole.pictures) == 2

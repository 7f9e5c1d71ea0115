import numpy as np
import pytest
from PIL import Image

from agnostic.errors import InputError
from agnostic.optvis.lens import Lens
from agnostic.optvis.library import Library

NET = "net (float[n,3,4,4] x) => (float[n,2] y) { c = Conv(x, w) p = GlobalAveragePool(c) y = Flatten(p) }"


@pytest.fixture
def lens(opened):
    w = np.zeros((2, 3, 1, 1), np.float32)
    w[0, 0], w[1, 2] = 1, 2
    plain = {"mean": [0.0], "std": [1.0], "scale": 1 / 255, "size": [4, 4], "channels": "BGR"}
    return Lens(opened(NET, {"w": w}, preprocess=plain))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deeper").mkdir()
    for name, colour in (("a.png", (255, 0, 51)), ("deeper/b.png", (0, 102, 255))):
        Image.new("RGB", (9, 5), colour).save(tmp_path / name)
    return tmp_path


def test_scores_are_those_of_each_picture_in_the_order_of_their_names(lens, folder):
    library = Library(folder)
    assert list(library.files) == ["a.png", "deeper/b.png"]
    # The model takes blue first: its first unit reads blue, its second twice the red.
    expected = [[0.2, 2.0], [1.0, 0.0]]
    targets = [lens.model.target("c:0"), lens.model.target("c:1")]
    np.testing.assert_allclose(library.scores(lens, targets), expected, atol=1e-6)
    np.testing.assert_allclose(library.unit_scores(lens, "c"), expected, atol=1e-6)


def test_colours_are_those_the_pictures_have(lens, folder):
    found = Library(folder).colours(lens)
    np.testing.assert_allclose(found.mean, [0.5, 0.2, 0.6], atol=1e-6)
    matrix = np.array(found.matrix)
    half = np.array([0.5, -0.2, -0.4])
    np.testing.assert_allclose(matrix @ matrix.T, np.outer(half, half), atol=1e-6)


def test_broken_files_are_named_and_skipped(lens, folder):
    (folder / "broken.jpg").write_bytes(b"no picture at all")
    np.save(folder / "wrong.npy", np.zeros((5, 4, 4), np.float32))
    np.save(folder / "right.npy", np.ones((3, 4, 4), np.float32))
    (folder / "notes.txt").write_text("not meant as a picture")
    library = Library(folder)
    scores = library.scores(lens, [lens.model.target("c:0")])
    assert set(library.failed) == {"broken.jpg", "wrong.npy"}
    assert scores[:, 0] == pytest.approx([0.2, 1.0, 1.0])


def test_a_folder_without_a_picture_that_can_be_read_is_refused(lens, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        Library(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no picture"):
        Library(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"")
    with pytest.raises(InputError, match="none of the 1 files can be read"):
        Library(tmp_path).scores(lens, [lens.model.target("c:0")])


def test_more_pictures_than_a_batch_holds(lens, tmp_path):
    for number in range(19):
        Image.new("RGB", (4, 4), (0, 0, number)).save(tmp_path / f"{number:02}.png")
    scores = Library(tmp_path).scores(lens, [lens.model.target("c:0")])[:, 0]
    np.testing.assert_allclose(scores, np.arange(19) / 255, atol=1e-7)

"""Examples of a unit for a class against the attributions of every picture."""

import numpy as np
import pytest
from PIL import Image

from agnostic.blocks import as_sample, attribute, toward
from agnostic.blocks.examples import build
from agnostic.errors import UsageError

LAYER = "fire9/concat"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from agnostic import models

    folder = tmp_path_factory.mktemp("toward")
    for name in ("chelsea", "coffee", "cat_and_coffee"):
        whole = Image.open(models.picture(name)).convert("RGB")
        for number, box in enumerate(((0, 0, 300, 300), (100, 0, 400, 300))):
            whole.crop(box).save(folder / f"{name}{number}.png")
    return folder


@pytest.fixture(scope="module")
def index(squeezenet_model, folder, tmp_path_factory):
    return build(squeezenet_model, folder, [LAYER], tmp_path_factory.mktemp("index"))


def test_they_are_the_pictures_with_the_largest_attributions(squeezenet_model, folder, index):
    unit = int(index.stats(LAYER).mean.argmax())
    values = {}
    for path in sorted(folder.iterdir()):
        (found,) = attribute(squeezenet_model, as_sample(squeezenet_model, path), LAYER, ["Egyptian cat"])
        values[path.name] = found.channels[unit]
    rows = toward(squeezenet_model, index, folder, LAYER, unit, "Egyptian cat", count=4)
    active = {example.picture for example in index.top(LAYER, unit) if example.value > 0}
    best = sorted(active, key=lambda name: -values[name])[:4]
    assert [row.example.picture for row in rows] == best
    np.testing.assert_allclose([row.value for row in rows], [values[name] for name in best], rtol=1e-5)


def test_a_unit_that_no_picture_excites_has_none(squeezenet_model, folder, index):
    dead = np.flatnonzero(index.stats(LAYER).maximum <= 0)
    assert len(dead)
    assert toward(squeezenet_model, index, folder, LAYER, int(dead[0]), 281) == ()


def test_counts_that_make_no_sense_are_refused(squeezenet_model, folder, index):
    with pytest.raises(UsageError, match="expected 1 or more"):
        toward(squeezenet_model, index, folder, LAYER, 0, 281, count=0)

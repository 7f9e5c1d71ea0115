import numpy as np
import pytest

from agnostic.errors import ItemError, UsageError


def bilinear(image, size):
    """Resize (h, w) with half-pixel centres, axis by axis."""
    for axis in (0, 1):
        places = (np.arange(size) + 0.5) * image.shape[axis] / size - 0.5
        image = np.apply_along_axis(lambda row, at=places: np.interp(at, np.arange(len(row)), row), axis, image)
    return image


def by_hand(model, pixels, variant):
    """Algorithm 1 of the paper, written down step by step for score 0 with a black fill."""
    x = (pixels.astype(np.float32) / 255).transpose(2, 0, 1)
    maps = model.activations(x[None], "map")[0].astype(np.float64)
    masks = np.stack([bilinear(channel, 32) for channel in maps])
    masks = np.stack([(mask - mask.min()) / (mask.max() - mask.min()) for mask in masks])
    target = (model.target(0),)
    scores = model.score((masks[:, None] * x).astype(np.float32), target)[:, 0]
    increase = scores - model.score(np.zeros_like(x)[None], target)[0, 0]
    if variant == "interpretdl":
        return sum(score * bilinear(channel, 32) for score, channel in zip(scores, maps, strict=True))
    weights = np.exp(increase) / np.exp(increase).sum()
    weights -= 1 / 3 if variant == "centred" else 0
    return np.maximum(sum(w * bilinear(channel, 32) for w, channel in zip(weights, maps, strict=True)), 0)


@pytest.mark.parametrize("variant", ["centred", "paper", "interpretdl"])
def test_the_map_is_the_formula(two_patches, explain, patches_picture, variant):
    found = explain("scorecam", two_patches, patches_picture, fill="black", variant=variant)
    np.testing.assert_allclose(found.values[0], by_hand(two_patches, patches_picture, variant), atol=1e-4)
    assert found.facts[0]["layer"] == "map"


def test_each_score_lights_its_own_patch(two_patches, explain, patches_picture):
    first, second = explain("scorecam", two_patches, patches_picture, (0, 1), fill="black").values
    assert first[4:12, 4:12].mean() > 5 * first.mean()
    assert second[20:28, 20:28].mean() > 5 * second.mean()


def test_channels_that_are_the_same_everywhere_cost_no_pass(two_patches, explain, patches_picture):
    pixels = patches_picture.copy()
    pixels[..., 2] = 128
    before = two_patches.evaluations
    found = explain("scorecam", two_patches, pixels, fill="black")
    assert found.facts[0]["channels"] == 2
    assert two_patches.evaluations - before == 2 + 1  # and one for the map


def test_the_default_layer_is_not_the_map_of_the_classes(squeezenet, explain):
    found = explain("eigencam", squeezenet, "cat_and_coffee.png", ("Egyptian cat",))
    assert found.facts[0]["layer"] == "fire9/concat"


def test_a_hidden_target_is_explained_before_itself(two_patches, explain, patches_picture):
    found = explain("scorecam", two_patches, patches_picture, ("map:0",), fill="black")
    assert found.facts[0]["layer"] == "map/pre"


@pytest.mark.parametrize(
    ("method", "at", "message"),
    [
        ("scorecam", "mapp", "unknown layer"),
        ("ablationcam", "scores/none", "unknown layer"),
    ],
)
def test_a_layer_that_does_not_fit_is_refused(averaged, explain, averaged_picture, method, at, message):
    with pytest.raises(UsageError, match=message):
        explain(method, averaged, averaged_picture, task={"at": at})


def test_a_map_of_one_place_shows_nothing(averaged, explain, averaged_picture):
    with pytest.raises(ItemError, match="the same at every place"):
        explain("scorecam", averaged, averaged_picture, task={"at": "mean"})


def test_a_vector_is_no_map(perceptron, explain):
    with pytest.raises(UsageError, match="no map over two axes"):
        explain("eigencam", perceptron, np.ones(6, np.float32), task={"at": "hidden"})


def test_the_places_of_a_transformer_are_masks(transformer, explain, landscape_picture):
    red, green = explain("scorecam", transformer(), landscape_picture, (0, 1), fill="black").values
    assert red[8:16, 32:40].max() == red.max() > 5 * red.mean()
    assert green[24:32, :8].max() == green.max() > 5 * green.mean()


def test_a_text_model_has_no_map_for_it(perceptron, squeezenet, transformer):
    rows = {model: {row.name: row.runs for row in model.methods()} for model in (perceptron, squeezenet, transformer())}
    for name in ("ablationcam", "eigencam", "fem", "gradcam", "scorecam"):
        assert [found[name] for found in rows.values()] == [False, True, True]

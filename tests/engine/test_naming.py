import json
from collections.abc import Callable

import numpy as np
import pytest

from agnostic.engine.model import Model
from agnostic.errors import UsageError

Open = Callable[..., Model]
LABELS = ["tabby, tabby cat", "crane, bird", "crane", "espresso", "maillot", "maillot, tank suit"]
TEXT = """
g (float[n,3,4,4] x) => (float[n,6] logits) {
    hidden = Conv(x, k)
    on = Relu(hidden)
    mean = GlobalAveragePool(on)
    flat = Flatten(mean)
    logits = MatMul(flat, w)
}
"""


@pytest.fixture(scope="module")
def model(opened: Open) -> Model:
    random = np.random.default_rng(0)
    weights = {"k": random.normal(size=(5, 3, 3, 3)).astype(np.float32), "w": np.eye(5, 6, dtype=np.float32)}
    rename = {"hidden": "block/conv:0", "on": "block[1]/relu"}
    return opened(TEXT, weights, rename=rename, metadata={"agnostic.labels": json.dumps(LABELS)})


@pytest.mark.parametrize(
    ("text", "name", "key"),
    [
        ("tabby", "tabby, tabby cat", "logits[0]"),
        ("Tabby Cat", "tabby, tabby cat", "logits[0]"),
        ("tabby, tabby cat", "tabby, tabby cat", "logits[0]"),
        (" espresso ", "espresso", "logits[3]"),
        # The whole label wins over another label's synonym.
        ("crane", "crane", "logits[2]"),
        ("maillot", "maillot", "logits[4]"),
        ("tank suit", "maillot, tank suit", "logits[5]"),
        ("3", "espresso", "logits[3]"),
        ("logits[3]", "espresso", "logits[3]"),
        ("logits:3", "logits:3", "logits[3]"),
        ("tabby - espresso", "tabby, tabby cat - espresso", "logits[0] - logits[3]"),
        ("tabby + 0.5*espresso", "tabby, tabby cat + 0.5*espresso", "logits[0] + 0.5*logits[3]"),
        ("2 * 0 - .5 * 3", "2*tabby, tabby cat - 0.5*espresso", "2*logits[0] - 0.5*logits[3]"),
        ("-espresso", "-1*espresso", "- logits[3]"),
        ("block/conv:0:4", "block/conv:0:4", "block/conv:0[4,:,:]"),
        ("block/conv:0:4@1,0", "block/conv:0:4@1,0", "block/conv:0[4,1,0]"),
        ("block[1]/relu:2", "block[1]/relu:2", "block[1]/relu[2,:,:]"),
        ("block[1]/relu[2,1,1]", "block[1]/relu[2,1,1]", "block[1]/relu[2,1,1]"),
        ("block[1]/relu[2]", "block[1]/relu[2]", "block[1]/relu[2,:,:]"),
        ("block[1]/relu[:,1,1]", "block[1]/relu[:,1,1]", "block[1]/relu[:,1,1]"),
        ("block[1]/relu:0 - block/conv:0:0", "block[1]/relu:0 - block/conv:0:0",
         "block[1]/relu[0,:,:] - block/conv:0[0,:,:]"),
    ],
)  # fmt: skip
def test_what_a_person_types(model: Model, text: str, name: str, key: str) -> None:
    target = model.target(text)
    assert (target.name, target.key) == (name, key)
    assert model.target(key).key == key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the target is empty"),
        ("tubby", "unknown target 'tubby'; did you mean 'tabby'"),
        ("6", "class 6 does not exist; the model has the classes 0 to 5"),
        ("-1 + 99", "class 99 does not exist"),
        ("logits[6]", "index 6 is outside 0 to 5"),
        ("block/conv:0:5", "'block/conv:0' has the units 0 to 4, not 5"),
        ("block/conv:0:4@2,0", "index 2 is outside 0 to 1"),
        ("block/conv:0:4@1", "has 2 position axes, the target gives 1"),
        ("block/conv:0[1,1,1,1]", "has 3 axes behind the batch axis, the target gives 4"),
        ("block/conv:0[5]", "index 5 is outside 0 to 4"),
        ("block/conv:0", "is a whole tensor; name a unit of it: block/conv:0:0"),
        ("block/cnv:0:4", "unknown layer 'block/cnv:0'; did you mean 'block/conv:0'"),
        ("relu:1", "unknown layer 'relu'; known: logits, block/conv:0, block[1]/relu, mean"),
        ("tabby - ", "unknown target 'tabby -'"),
        ("tabby - espreso", "unknown target 'espreso'; did you mean 'espresso'"),
        ("2*", "unknown target '2*'"),
    ],
)
def test_what_names_nothing_says_what_was_near(model: Model, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        model.target(text)
    assert message in str(caught.value)


def test_a_synonym_of_several_classes_is_refused_with_their_numbers(opened: Open) -> None:
    labels = '["crane, bird", "crane, machine", "dog"]'
    model = opened("g (float[n,3] x) => (float[n,3] y) { y = Relu(x) }", metadata={"agnostic.labels": labels})
    with pytest.raises(UsageError, match=r"'crane' names the classes 0, 1; give the number"):
        model.target("crane")
    assert model.target("1").name == "crane, machine"


def test_imagenet_has_two_cranes(squeezenet_model: Model) -> None:
    with pytest.raises(UsageError, match=r"'crane' names the classes 134, 517; give the number"):
        squeezenet_model.target("crane")
    assert squeezenet_model.target("maillot").key == "logits[638]"
    assert squeezenet_model.target("tabby").key == "logits[281]"


def test_numbers_may_be_numpy_s(model: Model) -> None:
    assert model.target(np.int64(3)) == model.target(3) == model.target("3")


@pytest.mark.parametrize("given", [3.0, None, ["tabby"], b"tabby"])
def test_a_target_of_another_type_is_refused(model: Model, given: object) -> None:
    with pytest.raises(UsageError, match="give a class name, a number or layer:unit"):
        model.target(given)  # type: ignore[arg-type]


def test_a_target_passes_through(model: Model) -> None:
    target = model.target("tabby")
    assert model.target(target) is target


def test_without_labels_classes_go_by_number(opened: Open) -> None:
    model = opened("g (float[n,3] x) => (float[n,3] y) { y = Relu(x) }")
    assert model.target(2).name == "class 2"
    with pytest.raises(UsageError, match="the model declares no labels"):
        model.target("tabby")


@pytest.mark.parametrize(
    ("text", "classes", "key"),
    [
        ("g (float[n,7,1,1] x) => (float[n,7,1,1] y) { y = Relu(x) }", 7, "y[2,:,:]"),
        ("g (float[n,1,1,7] x) => (float[n,1,1,7] y) { y = Relu(x) }", 7, "y[:,:,2]"),
        ("g (float[n,7,5,5] x) => (float[n,7,5,5] y) { y = Relu(x) }", 7, "y[2,:,:]"),
    ],
)
def test_the_class_axis_of_maps(opened: Open, text: str, classes: int, key: str) -> None:
    model = opened(text)
    assert model.names.class_count == classes
    assert model.target(2).key == key
    assert model.target("y:2").key == key


def test_labels_tell_the_class_axis(opened: Open) -> None:
    text = "g (float[n,5,5,3] x) => (float[n,5,5,3] y) { y = Relu(x) }"
    model = opened(text, metadata={"agnostic.labels": '["a", "b", "c"]'})
    assert model.target("b").key == "y[:,:,1]"
    assert model.target("y:1").key == "y[:,:,1]"


def test_a_single_number_is_class_0_and_no_other(opened: Open) -> None:
    model = opened("g (float[n,4] x) => (float[n] y) { y = ReduceMean<axes=[1], keepdims=0>(x) }")
    assert model.target(0).read({"y": np.array([3.0, 4.0])}).tolist() == [3, 4]
    with pytest.raises(UsageError, match="the classes 0 to 0"):
        model.target(1)


def test_a_unit_of_a_channels_last_layer_is_its_channel(opened: Open) -> None:
    """As TensorFlow exports: channels last outside, a transposed convolution inside."""
    text = """g (float[n,6,6,3] x) => (float[n,2] y) {
        first = Transpose<perm=[0,3,1,2]>(x)
        conv = Conv(first, k)
        on = Relu(conv)
        last = Transpose<perm=[0,2,3,1]>(on)
        out = Sigmoid(last)
        flat = ReduceMean<axes=[1,2], keepdims=0>(out)
        y = MatMul(flat, w)
    }"""
    random = np.random.default_rng(0)
    weights = {"k": random.normal(size=(5, 3, 3, 3)).astype(np.float32), "w": np.eye(5, 2, dtype=np.float32)}
    model = opened(text, weights)
    layer = model.layer("out")
    assert (layer.kind, layer.shape, layer.channel_axis) == ("map", (5, 4, 4), 3)
    x = random.normal(size=(1, 6, 6, 3)).astype(np.float32)
    values = model.activations(x, "out")
    assert values.shape == (1, 4, 4, 5)
    target = model.target("out:4@2,3")
    assert target.key == "out[2,3,4]"
    assert target.read({"out": values})[0] == values[0, 2, 3, 4]

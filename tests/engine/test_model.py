from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

import agnostic
from agnostic.engine.model import Model
from agnostic.errors import InputError, ItemError, ModelError, UsageError

Open = Callable[..., Model]
SKIP = """g (float[{batch},3,6,6] x, float[{batch},3] extra) => (float[{batch},4] y) {{
    hidden = Conv<pads=[1,1,1,1]>(x, k)
    on = Relu(hidden)
    joined = Add(on, x)
    mean = GlobalAveragePool(joined)
    flat = Reshape(mean, shape)
    both = Add(flat, extra)
    y = MatMul(both, w)
}}"""


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture(params=["n", "1"])
def skip(request: pytest.FixtureRequest, opened: Open) -> Model:
    """A model of two inputs with a skip connection, its batch axis free or fixed at one."""
    shape = np.array([-1 if request.param == "n" else 1, 3])
    weights = {"k": random(3, 3, 3, 3), "w": random(3, 4, seed=1), "shape": shape}
    return opened(SKIP.format(batch=request.param), weights)


@pytest.fixture
def photo(squeezenet_model: Model, cat_and_coffee: Path) -> np.ndarray:
    way = squeezenet_model.preprocess
    assert way is not None
    with Image.open(cat_and_coffee) as picture:
        pixels = np.asarray(picture.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))
    return way.row(pixels)[None]


def test_a_model_shows_its_signature(skip: Model) -> None:
    batch = skip.inputs[0].shape[0]
    assert str(skip.inputs[1]) == f"extra float32 [{batch}, 3]"
    assert repr(skip) == (
        f"Model(model: x float32 [{batch}, 3, 6, 6], extra float32 [{batch}, 3] -> y float32 [{batch}, 4])"
    )
    assert skip.class_output.name == skip.scores_tensor == "y"
    assert [layer.name for layer in skip.layers if layer.kind == "map"][:2] == ["hidden", "on"]


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("at", ["hidden", "on", "joined", "mean"])
def test_running_from_a_layer_replays_the_answer(skip: Model, at: str, rows: int) -> None:
    x = {"x": random(rows, 3, 6, 6, seed=2), "extra": random(rows, 3, seed=3)}
    expected = np.concatenate([skip.run({k: v[i : i + 1] for k, v in x.items()})["y"] for i in range(rows)])
    assert np.allclose(skip.run(x)["y"], expected, atol=1e-5)
    found = skip.run_from(at, skip.activations(x, at), x)
    assert list(found) == ["y"]
    assert np.allclose(found["y"], expected, atol=1e-5)
    assert not skip.runs_row_by_row


def test_one_row_of_inputs_serves_all_rows_of_a_layer(skip: Model) -> None:
    x = {"x": random(1, 3, 6, 6), "extra": random(1, 3)}
    a = random(4, 3, 6, 6, seed=5)
    expected = np.concatenate([skip.run_from("on", a[i : i + 1], x)["y"] for i in range(4)])
    assert np.allclose(skip.run_from("on", a, x)["y"], expected, atol=1e-5)
    # What the layer holds is what counts: with it at zero, only the way around is left.
    around = (x["x"].mean(axis=(2, 3)) + x["extra"]) @ random(3, 4, seed=1)
    assert np.allclose(skip.run_from("on", np.zeros((1, 3, 6, 6)), x)["y"], around, atol=1e-5)


def test_a_way_around_a_layer_needs_the_inputs(skip: Model) -> None:
    with pytest.raises(InputError, match="a path around 'on' needs the input 'extra': give x as well"):
        skip.run_from("on", random(1, 3, 6, 6))


def test_running_from_a_layer_checks_what_it_is_given(skip: Model) -> None:
    x = {"x": random(1, 3, 6, 6), "extra": random(1, 3)}
    with pytest.raises(InputError, match=r"input on float32 .*expected size 3 along axis 1"):
        skip.run_from("on", random(1, 2, 6, 6), x)
    with pytest.raises(UsageError, match="unknown layer 'onn'"):
        skip.run_from("onn", random(1, 3, 6, 6), x)
    with pytest.raises(UsageError, match="'hidden' does not depend on 'on'"):
        skip.run_from("on", random(1, 3, 6, 6), x, outputs=["y", "hidden"])
    fetched = skip.run_from("on", random(1, 3, 6, 6), x, outputs=["joined"])
    assert list(fetched) == ["joined"]


def test_an_input_without_a_batch_axis_is_not_repeated_behind_a_layer(opened: Open) -> None:
    model = opened(
        "g (float[n,3] x, float[3] scale) => (float[n,3] y) { hidden = Relu(x)\n z = Tanh(hidden)\n y = Mul(z, scale) }"
    )
    x = {"x": random(1, 3), "scale": np.array([1, 2, 3], np.float32)}
    a = random(4, 3, seed=4)
    assert np.allclose(model.run_from("hidden", a, x)["y"], np.tanh(a) * x["scale"], atol=1e-6)


def test_outputs_that_a_layer_does_not_reach_are_left_out(opened: Open) -> None:
    model = opened("""g (float[n,3] x) => (float[n,3] left, float[n,3] right) {
        a = Relu(x)
        left = Tanh(a)
        b = Sigmoid(x)
        right = Neg(b)
    }""")
    a = random(2, 3)
    assert list(model.run_from("a", a)) == ["left"]
    assert np.allclose(model.run_from("b", a)["right"], -a)


@pytest.mark.parametrize("at", ["conv1/pre", "pool1", "fire5/concat", "fire9/concat", "conv10"])
def test_the_tail_of_a_real_model_replays_its_logits(squeezenet_model: Model, photo: np.ndarray, at: str) -> None:
    expected = squeezenet_model.run(photo)["logits"]
    found = squeezenet_model.run_from(at, squeezenet_model.activations(photo, at))["logits"]
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_evaluations_count_rows_whole_and_partial(linear: Callable[..., Model], opened: Open) -> None:
    model = opened("g (float[n,3] x) => (float[n,3] y) { hidden = Relu(x)\n y = Tanh(hidden) }")
    assert model.evaluations == 0
    model.run(random(5, 3))
    model.run_from("hidden", random(2, 3))
    assert model.evaluations == 7


def test_hidden_tensors_are_fetched_beside_the_answer(skip: Model) -> None:
    x = {"x": random(2, 3, 6, 6), "extra": random(2, 3)}
    found = skip.run(x, ["on", "y"])
    assert np.array_equal(found["on"], skip.activations(x, "on"))
    assert found["on"].min() == 0
    with pytest.raises(UsageError, match="unknown tensor 'onn'"):
        skip.run(x, ["onn"])
    with pytest.raises(UsageError, match="unknown layer 'y2'"):
        skip.activations(x, "y2")


def test_scores_are_read_off_answer_and_layers_at_once(skip: Model) -> None:
    x = {"x": random(3, 3, 6, 6), "extra": random(3, 3)}
    values = skip.run(x, ["on", "y"])
    targets = [skip.target("1"), skip.target("on:2"), skip.target("0 - 2*on:1@3,4")]
    expected = [
        values["y"][:, 1],
        values["on"][:, 2].mean(axis=(1, 2)),
        values["y"][:, 0] - 2 * values["on"][:, 1, 3, 4],
    ]
    assert np.allclose(skip.score(x, targets), np.stack(expected, axis=1), atol=1e-5)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"x": np.ones((1, 3))}, InputError, "the model also needs the input extra float32"),
        ({"x": np.ones((1, 3)), "extra": np.ones((1, 3)), "y": 1}, UsageError, "unknown input 'y'"),
        ({"x": np.ones(3), "extra": np.ones((1, 3))}, InputError, "expected 2 axes, got shape [3]"),
        ({"x": np.ones((1, 4)), "extra": np.ones((1, 3))}, InputError, "expected size 3 along axis 1, got"),
        ({"x": [[1, 2], [3]], "extra": np.ones((1, 3))}, InputError, "the rows are not equally long"),
        ({"x": [["a", "b", "c"]], "extra": np.ones((1, 3))}, InputError, "give numbers"),
        ({"x": np.ones((1, 3)) * 1j, "extra": np.ones((1, 3))}, InputError, "dtype complex128; give numbers"),
        ({"x": [[1, 2, None]], "extra": np.ones((1, 3))}, InputError, "dtype object; give numbers"),
        ({"x": [[1, 2, np.nan]], "extra": np.ones((1, 3))}, InputError, "holds NaN or infinite values"),
        (np.ones((1, 3)), InputError, "the model also needs the input extra"),
    ],
)  # fmt: skip
def test_feeds_that_do_not_fit_are_refused(opened: Open, given: object, error: type[Exception], message: str) -> None:
    model = opened("g (float[n,3] x, float[n,3] extra) => (float[n,3] y) { y = Add(x, extra) }")
    with pytest.raises(error) as caught:
        model.feeds(given)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_feeds_are_cast_to_what_the_graph_eats(opened: Open) -> None:
    model = opened("g (float16[n,2] a, uint8[n,2] b, int64 c) => (float16[n,2] y) { y = Relu(a) }")
    feeds = model.feeds({"a": [[1.5, 1e9]], "b": [[2.6, -4.0]], "c": 7.0})
    assert {name: value.dtype.name for name, value in feeds.items()} == {"a": "float16", "b": "uint8", "c": "int64"}
    assert [value.tolist() for value in feeds.values()] == [[[1.5, 65504.0]], [[3, 0]], 7]


def test_an_answer_without_axes_can_be_explained(opened: Open) -> None:
    model = opened("g (float[n,3] x) => (float loss) { loss = ReduceSum<keepdims=0>(x) }")
    assert model.score(np.array([[1, 2, 3], [4, 5, 6]]), [model.target(0)]).tolist() == [[6], [15]]


def test_an_answer_that_is_no_number_is_refused(opened: Open) -> None:
    model = opened("g (float[n,2] x) => (float[n,2] y) { y = Log(x) }")
    with pytest.raises(ItemError, match="answer for 'class 1' is NaN"):
        model.score(np.array([[1.0, -1.0]]), [model.target(0), model.target(1)])


def test_the_first_output_of_numbers_holds_the_scores(opened: Open) -> None:
    model = opened(
        "g (float[n,3] x) => (int64[n] label, float[n,3] p) { label = ArgMax<axis=1,keepdims=0>(x)\n p = Softmax(x) }"
    )
    assert (model.class_output.name, model.scores_tensor) == ("p", "x")
    assert model.target(1).key == "x[1]"


def test_sequences_are_refused_with_a_reason() -> None:
    graph = onnx.parser.parse_graph("g (float[n,3] x) => (seq(float[n,3]) y) { y = SequenceConstruct(x) }")
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ModelError, match="'y' is a sequence_type, not a tensor"):
        agnostic.load(proto)


def test_one_lean_session_serves_all_batches(
    linear: Callable[..., Model], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    built: list[object] = []
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **k: built.append(1) or real(*a, **k))
    model = linear(np.eye(3))
    for rows in (1, 2, 3, 1):
        model.score(random(rows, 3), [model.target(0)])
    assert len(built) == 1


def test_what_can_run_is_listed_with_reasons(linear: Callable[..., Model], squeezenet_model: Model) -> None:
    rows = {row.name: row for row in linear(np.eye(3)).methods()}
    assert rows["occlusion"].runs and rows["occlusion"].reason == ""
    assert not rows["scorecam"].runs and rows["scorecam"].reason == "the model has no hidden layer that is a map"
    refused = {row.name for row in squeezenet_model.methods() if not row.runs}
    assert refused == {"bidirectional_transformer", "generic_attention", "rollout", "tam"}


def test_labels_that_do_not_fit_are_named() -> None:
    assert agnostic.load("squeezenet").notes == ()
    model = agnostic.load("squeezenet")
    model.labels = ("cat", "dog")
    assert model.notes == ("the model declares 2 labels for 1000 classes: they are not used",)
    assert model.names.class_name(0) == "class 0"

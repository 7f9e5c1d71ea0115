import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

import agnostic
from agnostic import api
from agnostic.engine.model import Model
from agnostic.errors import InputError, ItemError, LimitError, ModelError, UsageError
from agnostic.methods import Task, get
from agnostic.methods.registry import Attribution, Method

Open = Callable[..., Model]
WEIGHTS = np.array([[1, -2, 0.5, 3], [0.5, 1, -1, 2]], np.float32).T
X = np.array([1.0, 2, 3, 4], np.float32)
SEEING = """g (float[n,3,8,8] x) => (float[n,3] y) {
    hidden = Conv<pads=[1,1,1,1]>(x, k)
    on = Relu(hidden)
    mean = GlobalAveragePool(on)
    flat = Flatten(mean)
    y = MatMul(flat, w)
}"""
RANDOM = np.random.default_rng(0)
SEEING_WEIGHTS = {
    "k": RANDOM.normal(size=(5, 3, 3, 3)).astype(np.float32),
    "w": RANDOM.normal(size=(5, 3)).astype(np.float32),
}


@pytest.fixture(scope="module")
def line(linear: Callable[..., Model]) -> Model:
    return linear(WEIGHTS, metadata={"agnostic.labels": '["tabby, cat", "espresso"]'})


@pytest.fixture(scope="module")
def seeing(opened: Open) -> Model:
    way = json.dumps({"size": [8, 8], "scale": 1 / 255})
    return opened(SEEING, SEEING_WEIGHTS, metadata={"agnostic.preprocess": way})


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8))


def test_a_linear_model_is_explained_by_its_terms(line: Model) -> None:
    e = agnostic.explain(line, X, "occlusion", "tabby")
    assert np.allclose(e.values, WEIGHTS[:, 0] * X)
    assert (e.target, e.method, e.picture, e.segments) == ("tabby, cat", "occlusion", None, None)
    assert e.data is not None and e.data.tolist() == X.tolist()
    e = agnostic.explain(line, X, "kernelshap", "tabby", baseline=[1, 1, 1, 1])
    assert np.allclose(e.values, WEIGHTS[:, 0] * (X - 1), atol=1e-4)
    assert e.base_value == pytest.approx(WEIGHTS[:, 0].sum())
    assert e.base_value + e.values.sum() == pytest.approx(e.meta["score"], abs=1e-4)


def test_the_record_says_how_to_repeat_it(line: Model) -> None:
    before = line.evaluations
    e = agnostic.explain(line, X, "lime", "tabby - 0.5*espresso", samples=64, seed=3, stop=0)
    assert e.meta["settings"] == {
        "samples": 64, "kernel_width": 0.25, "distance": "cosine", "penalty": 1.0, "stop": 0,
    }  # fmt: skip
    assert e.meta["target_key"] == "y[0] - 0.5*y[1]"
    assert (e.meta["seed"], e.meta["at"], e.meta["source"], e.meta["input"]) == (3, None, "x", "array")
    assert (e.meta["model"], e.meta["model_sha256"]) == ("model", line.sha256)
    assert e.meta["score"] == pytest.approx(float(X @ (WEIGHTS[:, 0] - 0.5 * WEIGHTS[:, 1])))
    assert 64 <= e.meta["evaluations"] <= line.evaluations - before
    assert e.meta["probability"] is None and e.meta["parity"] is None
    assert e.meta["provider"] == "CPUExecutionProvider"
    assert e.meta["versions"]["onnx"] == onnx.__version__ and e.meta["versions"]["numpy"] == np.__version__
    assert json.loads(json.dumps(e.meta)) == e.meta
    assert e.meta["feature_names"] == ["feature 0", "feature 1", "feature 2", "feature 3"]


def test_gradients_come_with_the_parity_on_the_input_and_on_a_random_one(line: Model) -> None:
    own, random = (agnostic.explain(line, X, "saliency", 0).meta[name] for name in ("parity", "random_parity"))
    assert own["scale"] == pytest.approx(np.abs(X @ WEIGHTS).max())
    assert random["scale"] != pytest.approx(own["scale"])
    assert max(own["largest"], random["largest"]) < 1e-5
    assert agnostic.explain(line, X, "lime", 0, samples=64).meta["random_parity"] is None


def test_the_seed_makes_it_the_same_and_another_makes_it_another(line: Model) -> None:
    runs = [agnostic.explain(line, X, "lime", 0, samples=64, seed=seed).values for seed in (0, 0, 1)]
    assert np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[0], runs[2])


@pytest.mark.parametrize("method", ["occlusion", "lime", "kernelshap", "rise", "scorecam", "eigencam", "cam"])
def test_several_targets_at_once_are_what_each_is_alone(seeing: Model, photo: Image.Image, method: str) -> None:
    few: dict[str, dict[str, Any]] = {
        "lime": {"samples": 64, "stop": 0}, "kernelshap": {"samples": 40}, "rise": {"masks": 64, "stop": 0},
    }  # fmt: skip
    known = {option.name for option in get(method).options}
    settings = {name: value for name, value in few.get(method, {}).items() if name in known}
    targets = [0, "2", "0 - 2"]
    together = agnostic.explain(seeing, photo, method, targets, features="grid:3", **settings)
    assert [e.target for e in together] == ["class 0", "class 2", "class 0 - class 2"]
    for e, target in zip(together, targets, strict=True):
        alone = agnostic.explain(seeing, photo, method, target, features="grid:3", **settings)
        assert np.allclose(e.values, alone.values, atol=1e-5)
        assert e.meta["score"] == pytest.approx(alone.meta["score"], rel=1e-5)
        assert e.meta["target_key"] == alone.meta["target_key"]


def test_lists_and_tuples_of_targets_give_lists(line: Model) -> None:
    for targets in ([0], (0,), [line.target(0)], [np.int64(0)]):
        found = agnostic.explain(line, X, "occlusion", targets)
        assert isinstance(found, list) and len(found) == 1
    assert not isinstance(agnostic.explain(line, X, "occlusion", np.int64(0)), list)
    with pytest.raises(UsageError, match="the list of targets is empty"):
        agnostic.explain(line, X, "occlusion", [])


def test_without_a_target_the_top_class_is_explained(line: Model) -> None:
    assert agnostic.explain(line, X, "occlusion").target == "tabby, cat"
    assert agnostic.explain(line, -X, "occlusion").target == "espresso"


def test_paths_images_pixels_and_arrays_agree(seeing: Model, photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "photo.png")
    onnx.save(seeing.proto, tmp_path / "net.onnx")
    eaten = api.prepare(seeing, photo, get("occlusion")).arrays["x"]
    np.save(tmp_path / "eaten.npy", eaten)
    small = photo.resize((8, 8), Image.Resampling.BILINEAR)
    first = agnostic.explain(seeing, small, "occlusion", 1, fill="gray")
    # At the model's own size every way leads to the same numbers.
    guises: list[Any] = [np.asarray(small), eaten, eaten[0], tmp_path / "eaten.npy", {"x": eaten}, {"x": small}]
    for given in guises:
        assert np.allclose(agnostic.explain(seeing, given, "occlusion", 1, fill="gray").values, first.values, atol=1e-5)
    for model in (tmp_path / "net.onnx", (tmp_path / "net.onnx").read_bytes(), seeing.proto):
        found = agnostic.explain(model, tmp_path / "photo.png", "occlusion", 1, fill="gray")
        assert np.allclose(found.values, first.values, atol=1e-5)
        assert found.picture is not None and found.picture.shape == (12, 10, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "limes"}, "unknown method 'limes'; did you mean 'lime'"),
        ({"method": "lime", "sample": 3}, "unknown option of lime 'sample'; did you mean 'samples'"),
        ({"target": "tubby"}, "unknown target 'tubby'; did you mean 'tabby'"),
        ({"target": 2.5}, "the target 2.5 is a float"),
        ({"method": "scorecam"}, "scorecam cannot run on 'model': the model has no hidden layer that is a map"),
        ({"source": "z"}, "unknown input 'z'"),
        ({"features": "grid:3"}, "are pieces of a picture"),
        ({"batch_size": 0}, "--batch-size 0: expected at least 1"),
        ({"timeout": 0}, "--timeout 0: expected a number of seconds above 0"),
        ({"at": "conv"}, "looks at no layer; drop --at conv"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(line: Model, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        agnostic.explain(line, X, **{"method": "occlusion", "target": 0, **options})
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_other_failures_are_of_their_kind(line: Model, opened: Open, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        agnostic.explain(tmp_path / "missing.onnx", X)
    with pytest.raises(InputError):
        agnostic.explain(line, np.ones(5), "occlusion", 0)
    with pytest.raises(ItemError, match="class scores are not finite on 'array'"):
        agnostic.explain(opened("g (float[n,2] x) => (float[n,2] y) { y = Log(x) }"), [-1, 1], "occlusion")
    with pytest.raises(ItemError, match="whatever is changed in the input"):
        constant = opened("g (float[n,2] x) => (float[n,2] y) { z = Sub(x, x)\n y = Cos(z) }")
        agnostic.explain(constant, [1, 2], "occlusion")


def test_time_that_is_up_is_a_limit(line: Model) -> None:
    with pytest.raises(LimitError, match="stopped after 1e-09 s"):
        agnostic.explain(line, X, "occlusion", 0, timeout=1e-9)


def test_a_method_for_pictures_refuses_rows(line: Model) -> None:
    task = Task(line, api.prepare(line, X, get("occlusion")), (line.target(0),))
    with pytest.raises(UsageError, match="looks explains pictures; use occlusion, lime or kernelshap here"):
        api.run(Method("looks", lambda task: pytest.fail("ran"), ("forward",), "", needs_plane=True), task, {})


def test_a_methods_own_fill_holds_where_none_is_given(seeing: Model, photo: Image.Image) -> None:
    def nothing(task: Task) -> Attribution:
        return Attribution(np.zeros((1, 8, 8), np.float32), np.zeros(1))

    white = Method("nothing", nothing, ("forward",), "", fill="white")
    assert (api.prepare(seeing, photo, white).features.fill == 1).all()
    assert (api.prepare(seeing, photo, white, fill="black").features.fill == 0).all()


def test_whatever_a_method_reports_is_plain_in_the_record(line: Model) -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd"

    facts = {"a": np.float32(1.5), "b": (1, np.int64(2)), "c": np.array([[1.0, np.nan]]), "d": {"e": Odd(), 1: None}}

    def method(task: Task, **_: Any) -> Attribution:
        return Attribution(np.zeros((1, 4), np.float64), np.zeros(1), facts=[facts])  # type: ignore[arg-type]

    sample = api.prepare(line, X, get("occlusion"))
    task = Task(line, sample, (line.target(0),))
    [e] = api.run(Method("odd", method, ("forward",), ""), task, {"path": Path("x"), "on": True, "inf": float("inf")})
    assert e.values.dtype == np.float32
    assert {name: e.meta[name] for name in "abcd"} == {
        "a": 1.5, "b": [1, 2], "c": [[1.0, None]], "d": {"e": "odd", "1": None},
    }  # fmt: skip
    assert e.meta["settings"] == {"path": "x", "on": True, "inf": None}


def predicted(model: Model, x: Any = X) -> list[api.Prediction]:
    return api.predict(model, api.prepare(model, x, get("occlusion")))


SOFT = "g (float[n,4] x) => (float[n,2] {out}) {{ z = MatMul(x, w)\n {out} = {op}(z) }}"


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Identity"])
def test_scores_are_before_the_softmax_and_probabilities_behind_it(opened: Open, op: str) -> None:
    logits = (X @ WEIGHTS).astype(np.float64)
    chances = np.exp(logits) / np.exp(logits).sum()
    found = predicted(opened(SOFT.format(out="p", op=op), {"w": WEIGHTS}))
    assert [item.index for item in found] == np.argsort(-logits).tolist()
    assert np.allclose([item.score for item in found], np.sort(logits)[::-1], atol=1e-5)
    probabilities = [item.probability for item in found]
    assert np.allclose(np.array(probabilities, float), np.sort(chances)[::-1], atol=1e-5)


def test_several_yes_or_no_answers_have_a_probability_each(opened: Open) -> None:
    logits = (0.1 * X @ WEIGHTS).astype(np.float64)
    model = opened(SOFT.format(out="p", op="Sigmoid"), {"w": 0.1 * WEIGHTS})
    found = sorted(predicted(model), key=lambda item: item.index)
    assert np.allclose([item.score for item in found], logits, atol=1e-5)
    assert np.allclose([item.probability or 0 for item in found], 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_outputs_taken_raw_that_are_a_distribution_are_probabilities(opened: Open) -> None:
    model = opened(SOFT.format(out="p", op="Softmax"), {"w": WEIGHTS}, raw_output=True)
    for item in predicted(model):
        assert item.score == item.probability


def test_a_single_number_has_no_probability(opened: Open, linear: Callable[..., Model]) -> None:
    assert [item.probability for item in predicted(linear(WEIGHTS[:, :1]))] == [None]
    model = opened("g (float[n,4] x) => (float[n] y) { y = ReduceMean<axes=[1], keepdims=0>(x) }")
    assert predicted(model) == [api.Prediction(0, "class 0", 2.5, None)]


def test_only_a_single_unweighted_class_has_a_probability(seeing: Model, photo: Image.Image) -> None:
    sample = api.prepare(seeing, photo, get("occlusion"))
    by_class = {item.index: item.probability for item in api.predict(seeing, sample)}
    targets = ["1", "0 - 1", "2*1", "hidden:1", "y[0]", "-1"]
    found = api.probabilities(seeing, sample, [seeing.target(text) for text in targets])
    assert found == [by_class[1], None, None, None, by_class[0], None]


def test_classes_of_maps_are_averaged_over_places(opened: Open) -> None:
    model = opened("g (float[n,3,2,2] x) => (float[n,3,2,2] y) { y = Neg(x) }")
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    sample = api.prepare(model, x, get("occlusion"), features="grid:2")
    found = api.predict(model, sample, 2)
    assert [(item.index, item.score) for item in found] == [(0, -1.5), (1, -5.5)]
    one_place = model.target("y:0@1,1")
    assert api.probabilities(model, sample, [model.target(0), one_place])[1] is None


def test_scores_untouched_by_the_picture_are_noticed(opened: Open, seeing: Model, photo: Image.Image) -> None:
    assert not api.untouched(seeing, api.prepare(seeing, photo, get("occlusion")))
    text = SEEING.replace("y = MatMul(flat, w)", "z = MatMul(flat, w)\n s = Mul(z, tiny)\n y = Add(s, ones)")
    deaf = opened(text, {**SEEING_WEIGHTS, "tiny": np.float32(1e-6), "ones": np.ones(3, np.float32)})
    assert api.untouched(deaf, api.prepare(deaf, photo, get("occlusion")))


def test_the_embedded_model_tells_cat_from_coffee(squeezenet_model: Model, cat_and_coffee: Path) -> None:
    targets = ["Egyptian cat - coffee mug", "coffee mug"]
    rather, mug = agnostic.explain(squeezenet_model, cat_and_coffee, "cam", targets)
    cat, cup = np.s_[:, :160], np.s_[:, 160:]
    assert np.maximum(rather.values[cat], 0).sum() > 3 * np.maximum(rather.values[cup], 0).sum()
    assert np.minimum(rather.values[cup], 0).sum() < 3 * np.minimum(rather.values[cat], 0).sum()
    assert mug.values[cup].mean() > 2 * mug.values[cat].mean()
    sample = api.prepare(squeezenet_model, cat_and_coffee, get("cam"))
    names = {item.name for item in api.predict(squeezenet_model, sample)}
    assert {"Egyptian cat", "coffee mug"} <= names
    assert not api.untouched(squeezenet_model, sample)

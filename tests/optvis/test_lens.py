import json

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import agnostic
from agnostic.errors import InputError, UsageError
from agnostic.optvis import objectives as o
from agnostic.optvis import params, render
from agnostic.optvis.lens import Lens, Seen

CONVS = """net (float[n,3,h,w] x) => (float[n,8] y) {
    a = Conv(x, wa) r = Relu(a) b = Conv(r, wb) s = Sigmoid(b) m = Mul(b, s) c = Conv(m, wc) t = Relu(c)
    p = GlobalAveragePool(t) f = Flatten(p) y = MatMul(f, wd)
}"""


def drawn(rng, **shapes):
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def look(lens, pictures):
    planes = torch.from_numpy(pictures)
    return Seen(lens, planes, planes)


@pytest.fixture
def convs(opened, rng):
    return opened(CONVS, drawn(rng, wa=(4, 3, 3, 3), wb=(5, 4, 3, 3), wc=(6, 5, 1, 1), wd=(6, 8)))


@pytest.fixture
def nhwc(opened, rng):
    """Channels last all through: products over the last axis, as a channels-last converter leaves them."""
    text = """net (float[n,16,16,3] x) => (float[n,4] y) {
        a = MatMul(x, wa) r = Relu(a) b = MatMul(r, wb) s = Relu(b) j = Concat<axis=-1>(r, s)
        p = ReduceMean<axes=[1,2], keepdims=0>(j) y = MatMul(p, wc)
    }"""
    weights = drawn(rng, wa=(3, 5), wb=(5, 6), wc=(11, 4))
    preprocess = {"layout": "NHWC", "size": [16, 16], "mean": [0.5], "std": [0.25]}
    return opened(text, weights, metadata={"agnostic.preprocess": json.dumps(preprocess)})


@pytest.fixture
def transformer(rng):
    """A class token before 2 x 3 places of 4 x 4 pixels, and a layer of a token each."""
    weights = drawn(rng, kernel=(8, 3, 4, 4), learnt=(1, 1, 8), wm=(8, 6), slope=(8,), head=(6, 3))
    weights |= {"rows": np.array([0, 8, -1]), "size": np.array([1, 8]), "first": np.array(0)}
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "kernel"], ["map"], strides=[4, 4]),
        node("Reshape", ["map", "rows"], ["flat"]),
        node("Transpose", ["flat"], ["places"], perm=[0, 2, 1]),
        node("Shape", ["x"], ["batch"], start=0, end=1),
        node("Concat", ["batch", "size"], ["shape"], axis=0),
        node("Expand", ["learnt", "shape"], ["special"]),
        node("Concat", ["special", "places"], ["tokens"], axis=1),
        node("LayerNormalization", ["tokens", "slope"], ["normed"]),
        node("MatMul", ["normed", "wm"], ["hidden"]),
        node("Relu", ["hidden"], ["block"]),
        node("Gather", ["block", "first"], ["cls"], axis=1),
        node("MatMul", ["cls", "head"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 12]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3]),
    ]
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    return agnostic.load(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), device="cpu"
    )


def close(found, expected):
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=2e-4, atol=1e-5)


def test_layers_are_computed_together_from_the_second_step_on(convs, monkeypatch):
    lens, runs = Lens(convs), []
    run = lens.run
    monkeypatch.setattr(lens, "run", lambda *args: runs.append(tuple(args[1])) or run(*args))
    aim = o.channel("t", 1) + o.channel("m", 0) + o.deepdream("t") + o.channel("m", 2) + o.l1("input")
    render(lens, aim, params.image(12), steps=3, transforms=())
    # The first step learns what is wanted; what was asked for once is not computed twice.
    assert runs == [("c",), ("b",), ("t",), ("c", "b", "t"), ("c", "b", "t")]


def test_nothing_is_computed_before_it_is_asked_for(convs, rng, monkeypatch):
    lens = Lens(convs)
    monkeypatch.setattr(lens, "run", lambda *args: pytest.fail("the model was run"))
    seen = look(lens, rng.random((2, 3, 9, 9), np.float32))
    assert seen("input") is seen.pictures and len(seen) == 2 and len(seen.only(1)) == 1
    o.total_variation()(seen)


@pytest.mark.parametrize(("layer", "before"), [("r", "a"), ("m", "b"), ("t", "c")])
def test_a_layer_before_and_behind_its_activation_function(layer, before, convs, rng):
    lens, pictures = Lens(convs), rng.random((2, 3, 9, 11), np.float32)
    x = lens.space.to_model(torch.from_numpy(pictures)).numpy()
    stored = convs.run(x, [layer, before])
    seen = look(lens, pictures)
    close(seen(layer), stored[before])
    close(seen.activated(layer), stored[layer])
    close(lens.read(layer, torch.from_numpy(pictures)), stored[before])
    close(lens.read(layer, torch.from_numpy(pictures), activated=True), stored[layer])
    close(seen.only(1)(layer), stored[before][1:])
    close(seen.only(1).activated(layer), stored[layer][1:])


def test_a_vector_has_one_place(convs, rng):
    lens, pictures = Lens(convs), rng.random((2, 3, 9, 9), np.float32)
    scores = convs.run(lens.space.to_model(torch.from_numpy(pictures)).numpy())["y"]
    seen = look(lens, pictures)
    assert seen("y").shape == (2, 8, 1, 1)
    close(o.channel("y", 5)(seen), scores[:, 5])
    close(o.neuron("y", 5)(seen), scores[:, 5])
    close(seen("labels")[..., 0, 0], scores)


def test_channels_last(nhwc, rng):
    lens, pictures = Lens(nhwc), rng.random((2, 3, 16, 16), np.float32)
    assert lens.space.layout == "NHWC"
    stored = nhwc.run((pictures.transpose(0, 2, 3, 1) - 0.5) / 0.25, ["a", "b", "r", "s", "j"])
    seen = look(lens, pictures)
    close(seen("r"), stored["a"].transpose(0, 3, 1, 2))
    close(seen.activated("r"), stored["r"].transpose(0, 3, 1, 2))
    close(seen("j"), np.concatenate([stored["a"], stored["b"]], axis=3).transpose(0, 3, 1, 2))
    close(o.channel("j", 7)(seen), stored["b"][..., 2].mean(axis=(1, 2)))
    close(o.neuron("s", 4, x=3, y=9)(seen), stored["b"][:, 9, 3, 4])
    close(o.as_objective("j:7", lens)(seen), stored["b"][..., 2].mean(axis=(1, 2)))


def test_tokens_are_a_grid_without_the_class_token(transformer, rng):
    lens, pictures = Lens(transformer), rng.random((2, 3, 8, 12), np.float32)
    x = lens.space.to_model(torch.from_numpy(pictures)).numpy()
    stored = transformer.run(x, ["hidden", "block"])
    places = stored["hidden"][:, 1:].reshape(2, 2, 3, 6)
    seen = look(lens, pictures)
    close(seen("block"), places.transpose(0, 3, 1, 2))
    close(seen.activated("block"), np.maximum(places, 0).transpose(0, 3, 1, 2))
    close(o.channel("block", 4)(seen), places[..., 4].mean(axis=(1, 2)))
    close(o.neuron("block", 4, x=2, y=0)(seen), places[:, 0, 2, 4])
    # A unit that a person types is the same channel; a token of its own is counted as the model does.
    close(o.as_objective("block:4", lens)(seen), places[..., 4].mean(axis=(1, 2)))
    close(o.as_objective("block:4@0", lens)(seen), stored["hidden"][:, 0, 4])
    assert np.abs(stored["hidden"][:, :, 4].mean(axis=1) - places[..., 4].mean(axis=(1, 2))).max() > 1e-3


def test_the_grid_is_looked_for_once(transformer, rng, monkeypatch):
    import agnostic.optvis.lens as module

    lens, calls = Lens(transformer), []
    find = module.token_grid
    monkeypatch.setattr(module, "token_grid", lambda *args: calls.append(1) or find(*args))
    for _ in range(3):
        look(lens, rng.random((1, 3, 8, 12), np.float32))("block")
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("text", "shape", "axis"),
    [
        (
            "net (float[n,5,h,w] x) => (float[n,2,h,w] y) { a = Conv(x, w) r = Relu(a) y = Neg(r) }",
            (2, 5, 1, 1),
            1,
        ),
        ("net (float[n,9,9,5] x) => (float[n,9,9,2] y) { a = MatMul(x, w) r = Relu(a) y = Neg(r) }", (5, 2), 3),
    ],
)
def test_pictures_of_five_bands(text, shape, axis, opened, rng):
    model = opened(text, {"w": rng.normal(size=shape).astype(np.float32)})
    lens, pictures = Lens(model, value_range=(-1, 3)), rng.random((2, 5, 9, 9), np.float32)
    assert (lens.space.channels, lens.space.notes) == (5, ())
    stored = model.run(np.moveaxis(4 * pictures - 1, 1, axis), ["a"])["a"]
    close(o.channel("r", 1)(look(lens, pictures)), np.take(stored, 1, axis).mean(axis=(1, 2)))
    found = render(lens, ["r:0", "r:1"], params.image(9, channels=5), steps=2, transforms=())
    assert found.pictures.shape == (2, 9, 9, 5) and found.moved.all()


def test_a_map_at_the_end_keeps_its_places(opened, rng):
    # An output is no layer; its axes are the graph's.
    text = "net (float[n,3,h,w] x) => (float[n,4,h,w] y) { y = Conv(x, w) }"
    model = opened(text, drawn(rng, w=(4, 3, 1, 1)))
    lens, pictures = Lens(model), rng.random((1, 3, 5, 6), np.float32)
    stored = model.run(lens.space.to_model(torch.from_numpy(pictures)).numpy())["y"]
    close(look(lens, pictures)("y"), stored)
    close(o.neuron("y", 2, x=5, y=0)(look(lens, pictures)), stored[:, 2, 0, 5])


def test_raw_outputs_are_left_as_they_are(opened, rng):
    text = """net (float[n,3,h,w] x) => (float[n,4] y) {
        p = GlobalAveragePool(x) f = Flatten(p) l = MatMul(f, w) y = Sigmoid(l)
    }"""
    weights, pictures = drawn(rng, w=(3, 4)), rng.random((2, 3, 5, 6), np.float32)
    for raw, tensor in ((False, "l"), (True, "y")):
        model = opened(text, weights, raw_output=raw)
        lens = Lens(model)
        stored = model.run(lens.space.to_model(torch.from_numpy(pictures)).numpy(), [tensor])[tensor]
        close(look(lens, pictures)("labels")[..., 0, 0], stored)
        close(o.class_logit(2)(look(lens, pictures)), stored[:, 2])


def test_a_layer_that_is_not_there(convs, rng):
    with pytest.raises(UsageError, match="unknown layer 'labesl'"):
        Lens(convs).tensors_of("labesl")
    with pytest.raises(UsageError, match="unknown layer 'yy'; did you mean 'y'"):
        Lens(convs).tensors_of("yy")


def test_classes_are_looked_up_once(convs, monkeypatch):
    lens, calls = Lens(convs), []
    target = convs.target
    monkeypatch.setattr(convs, "target", lambda label: calls.append(label) or target(label))
    assert [lens.class_number(3) for _ in range(3)] == [3, 3, 3]
    assert calls == [3]


def test_another_picture_beside_is_resized_and_gets_no_gradient(convs, rng):
    lens = Lens(convs)
    planes = torch.from_numpy(rng.random((2, 3, 9, 9), np.float32)).requires_grad_()
    seen = Seen(lens, planes, planes)
    beside = seen.beside(torch.full((1, 3, 4, 5), 0.25))
    assert beside("input").shape == (2, 3, 9, 9) and (beside.shown == 0.25).all()
    assert not beside("t").requires_grad and seen("t").requires_grad
    with pytest.raises(UsageError, match="the given picture has 1 channels, the model's have 3"):
        seen.beside(torch.zeros(1, 1, 9, 9))


def test_what_sizes_a_model_takes(convs, transformer):
    assert Lens(convs).accepts(31, 17, "t")
    assert not Lens(convs).accepts(3, 3, "t")
    assert Lens(transformer).accepts(8, 12, "block")


def test_a_model_without_pictures_answers_what_to_use(linear):
    with pytest.raises(InputError, match=r"nothing to draw: .*agnostic explain"):
        Lens(linear(np.eye(4)))


def test_other_inputs_are_named(opened):
    text = "net (float[n,3,h,w] x, float[n,3,1,1] k) => (float[n,3,h,w] y) { m = Mul(x, k) r = Relu(m) y = Neg(r) }"
    with pytest.raises(InputError, match=r"other inputs beside the picture \(k\)"):
        Lens(opened(text)).read("m", torch.zeros(1, 3, 4, 4))

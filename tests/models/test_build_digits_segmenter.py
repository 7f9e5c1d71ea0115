"""The small segmentation network: written as trained, as good as the manifest says."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from agnostic import models
from agnostic.models import build_digits_segmenter as built
from agnostic.models.graph import to_bytes
from agnostic.models.small_convnets import normalised
from agnostic.models.two_digits import read_digits, scene


def test_the_file_computes_what_the_network_does() -> None:
    torch.manual_seed(5)
    network = built.Segmenter().eval()
    pixels = torch.randn(3, 1, 56, 56)
    with torch.no_grad():
        expected = network(pixels).softmax(1).numpy()
    session = onnxruntime.InferenceSession(to_bytes(built.write(network)), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"image": pixels.numpy()})[0], expected, atol=1e-5)


def test_the_truth_is_the_ink_by_the_name_of_its_digit() -> None:
    drawn = scene(read_digits()[0], np.random.default_rng(2))
    wanted = built.truth(drawn)
    assert set(np.unique(wanted)) == {0, *(1 + label for label in drawn.labels)}
    assert ((wanted > 0) == (drawn.ink > 0)).all()


def test_the_overlap_of_two_maps() -> None:
    wanted = np.tile(np.arange(1, 11), (4, 1))
    assert built.mean_overlap(wanted, wanted) == 1
    found = wanted.copy()
    found[:2] = 0  # half of each digit is missed
    assert built.mean_overlap(found, wanted) == pytest.approx(0.5)


def test_it_knows_ink_it_has_not_seen_as_well_as_the_manifest_says() -> None:
    stated = models.manifest()["models"]["digits-segmenter"]["held_out"]
    drawn = [scene(read_digits()[1], np.random.default_rng(seed)) for seed in range(stated["pictures"])]
    session = onnxruntime.InferenceSession(models.path("digits-segmenter"), providers=["CPUExecutionProvider"])
    classes = session.run(None, {"image": normalised(drawn).numpy()})[0].argmax(axis=1)
    found = built.mean_overlap(classes, np.stack([built.truth(each) for each in drawn]))
    assert found == pytest.approx(stated["iou"], abs=0.003)


def test_it_says_how_it_is_fed_and_what_it_answers() -> None:
    model = onnx.load(models.path("digits-segmenter"))
    onnx.checker.check_model(model, full_check=True)
    stated = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
    assert stated["agnostic.answer"] == {"kind": "segmentation", "output": "classes", "background": 0}
    assert stated["agnostic.labels"] == built.LABELS
    assert models.path("digits-segmenter").stat().st_size < 500_000

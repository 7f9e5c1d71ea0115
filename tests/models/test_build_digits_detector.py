"""The small detector: written as trained, its layout as declared, as good as the manifest says."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from agnostic import models
from agnostic.models import build_digits_detector as built
from agnostic.models.graph import to_bytes
from agnostic.models.small_convnets import normalised
from agnostic.models.two_digits import read_digits, scene


def test_the_file_computes_what_the_network_does() -> None:
    torch.manual_seed(5)
    network = built.Detector().eval()
    pixels = torch.randn(3, 1, 56, 56)
    with torch.no_grad():
        told = network(pixels).numpy()
    session = onnxruntime.InferenceSession(to_bytes(built.write(network)), providers=["CPUExecutionProvider"])
    found = session.run(None, {"image": pixels.numpy()})[0]
    assert found.shape == (3, 14, 49)
    np.testing.assert_allclose(found[:, 4:], 1 / (1 + np.exp(-told[:, 4:])), atol=1e-5)
    for cell, (x, y) in enumerate(built.middles()):
        left, top, right, bottom = 8 * np.exp(told[0, :4, cell])
        edges = np.array([x - left, y - top, x + right, y + bottom])
        middle, size = (edges[:2] + edges[2:]) / 2, edges[2:] - edges[:2]
        np.testing.assert_allclose(found[0, :4, cell], [*middle, *size], rtol=1e-4)


def test_every_digit_has_a_cell_that_speaks_for_it() -> None:
    digits = read_digits()[0]
    for seed in range(30):
        drawn = scene(digits, np.random.default_rng(seed))
        sides, digit = built.truth(drawn)
        assert set(digit[digit >= 0]) == set(drawn.labels)
        for at in np.flatnonzero(digit >= 0):
            x, y = built.middles()[at]
            box = drawn.boxes[drawn.labels.index(int(digit[at]))]
            assert sides[at].tolist() == [x - box.left, y - box.top, box.right - x, box.bottom - y]
            assert (sides[at] > 0).all()


def test_what_says_the_truth_has_no_loss_of_boxes_and_full_precision() -> None:
    digits = read_digits()[0]
    drawn = [scene(digits, np.random.default_rng(seed)) for seed in range(40)]
    told = np.full((40, 14, 49), -20.0)
    for row, each in enumerate(drawn):
        sides, digit = built.truth(each)
        told[row, :4] = np.log(np.maximum(sides, 1e-3) / 8).T
        told[row, 4 + digit[digit >= 0], np.flatnonzero(digit >= 0)] = 20
    assert float(built.loss(torch.from_numpy(told).float(), drawn)) == pytest.approx(0, abs=1e-4)
    x, y = built.middles().T
    left, top, right, bottom = (8 * np.exp(told[:, at]) for at in range(4))
    centred = [x + (right - left) / 2, y + (bottom - top) / 2, left + right, top + bottom]
    answers = np.concatenate([np.stack(centred, axis=1), 1 / (1 + np.exp(-told[:, 4:]))], axis=1)
    assert built.mean_average_precision(answers, drawn) == pytest.approx(1)
    # Half of the pictures without an answer lose about half of the recall, and with it of the precision.
    answers[::2, 4:] = 0
    assert 0.3 < built.mean_average_precision(answers, drawn) < 0.7


def test_it_finds_digits_it_has_not_seen_as_well_as_the_manifest_says() -> None:
    stated = models.manifest()["models"]["digits-detector"]["held_out"]
    drawn = [scene(read_digits()[1], np.random.default_rng(seed)) for seed in range(stated["pictures"])]
    session = onnxruntime.InferenceSession(models.path("digits-detector"), providers=["CPUExecutionProvider"])
    answers = session.run(None, {"image": normalised(drawn).numpy()})[0]
    assert built.mean_average_precision(answers, drawn) == pytest.approx(stated["map50"], abs=0.002)


def test_it_says_how_it_is_fed_and_what_it_answers() -> None:
    model = onnx.load(models.path("digits-detector"))
    onnx.checker.check_model(model, full_check=True)
    stated = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
    assert stated["agnostic.answer"] == {"kind": "boxes", "layout": "yolov8", "boxes": "detections"}
    assert stated["agnostic.labels"] == list("0123456789")
    assert "CC BY 4.0" in model.doc_string
    assert models.path("digits-detector").stat().st_size < 500_000

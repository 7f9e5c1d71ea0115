from typing import Any

import pytest

from agnostic.engine.facts import from_metadata
from agnostic.engine.ultralytics import declared

NAMES = "{0: 'person', 1: 'bicycle', 2: 'car'}"
OUTPUTS = {"yolov8": "float[1,7,84]", "yolov5": "float[1,84,8]", "rows": "float[1,300,6]"}


def exported(graph: Any, output: str, **entries: str) -> Any:
    text = f"g (float[1,3,64,96] images) => ({output} output0) {{ output0 = Reshape(images, shape) }}"
    metadata = {"task": "detect", "names": NAMES, "imgsz": "[64, 96]", "stride": "32", **entries}
    return graph(text, {"shape": [1, 7, 84]}, metadata=metadata)


@pytest.mark.parametrize("layout", OUTPUTS)
def test_an_exported_detector_needs_no_sidecar(graph: Any, layout: str) -> None:
    facts = from_metadata(exported(graph, OUTPUTS[layout]))
    assert facts.labels == ("person", "bicycle", "car")
    assert facts.preprocess is not None
    assert (facts.preprocess.size, facts.preprocess.resize, facts.preprocess.mean) == ((64, 96), "pad", (0.0,))
    assert facts.sections["answer"] == {"kind": "boxes", "layout": layout}


def test_our_own_metadata_win(graph: Any) -> None:
    facts = from_metadata(exported(graph, OUTPUTS["yolov8"], **{"agnostic.labels": '["a", "b", "c"]'}))
    assert facts.labels == ("a", "b", "c")


@pytest.mark.parametrize(
    "entries",
    [
        {"task": "segment"},
        {"names": "__import__('os').system('true')"},
        {"names": "[" * 5000},
        {"names": "'" + "a" * 2**17 + "'"},
        {"names": "{}"},
        {"imgsz": "64"},
        {"imgsz": "[64, -1]"},
        {"names": "{0: 'one'}"},
    ],
)
def test_what_the_exporter_would_not_write_is_left_alone(graph: Any, entries: dict[str, str]) -> None:
    assert declared(exported(graph, OUTPUTS["yolov8"], **entries)) is None

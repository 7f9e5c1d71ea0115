"""LightGBM to ONNX: boosters, their scikit-learn wrappers, and model files (`Booster.save_model`)."""

from pathlib import Path
from typing import Any

import numpy as np

from agnostic.converters import metadata, tidy
from agnostic.converters.conversion import Array, Converted, Facts, Feeds, Request
from agnostic.converters.sklearn_inputs import Column, Inputs
from agnostic.errors import ConversionError

_OPSET = 15
_EITHER = [True, False]


def convert(source: Any, request: Request) -> Converted:
    """Convert a booster, an `LGBMClassifier` or `LGBMRegressor`, or a model file.

    Raises:
        ConversionError: the file is broken, or the booster is of a kind that onnxmltools does not know.
    """
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    wrapper = None if isinstance(source, Path) or not hasattr(source, "booster_") else source
    booster = _opened(source) if isinstance(source, Path) else wrapper.booster_ if wrapper is not None else source
    names = list(booster.feature_name())
    inputs = Inputs(tuple(map(Column, names if _are_real(names) else [f"x{i}" for i in range(len(names))])))
    proto = onnxmltools.convert_lightgbm(
        booster, initial_types=[("X", FloatTensorType([None, len(names)]))], target_opset=request.opset or _OPSET,
        zipmap=False,
    )  # fmt: skip
    classes = getattr(wrapper, "classes_", None)
    outputs = ["label", "probabilities"] if len(proto.graph.output) > 1 else ["value"]
    proto = tidy.tidy(proto)
    tidy.rename(proto, tidy.ends(proto, (), outputs))

    def answer(feeds: Feeds) -> dict[str, Array]:
        made = np.asarray(booster.predict(feeds["X"].astype(np.float64), num_threads=1))
        return by_task(made, outputs)

    labels = metadata.as_labels(classes)
    return Converted(proto, answer, Facts(labels=labels, table=inputs.table()), inputs.likeness(request))


def by_task(made: Array, outputs: list[str]) -> dict[str, Array]:
    """Turn a booster's answer into labels and probabilities, or into values."""
    if outputs == ["value"]:
        return {"value": made.reshape(len(made), -1)}
    chances = made if made.ndim == 2 and made.shape[1] > 1 else np.stack([1 - made.ravel(), made.ravel()], axis=1)
    return {"label": chances.argmax(axis=1).astype(np.int64), "probabilities": chances}


def register() -> None:
    """Let skl2onnx convert LightGBM's wrappers inside pipelines."""
    from lightgbm import LGBMClassifier, LGBMRegressor
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    from skl2onnx import update_registered_converter
    from skl2onnx.common import shape_calculator as shapes

    for kind, shape, options in (
        (LGBMClassifier, shapes.calculate_linear_classifier_output_shapes, {"nocl": _EITHER, "zipmap": _EITHER}),
        (LGBMRegressor, shapes.calculate_linear_regressor_output_shapes, {"split": None}),
    ):  # fmt: skip
        update_registered_converter(kind, f"LightGbm{kind.__name__}", shape, convert_lightgbm, options=options)


def _are_real(names: list[str]) -> bool:
    return names != [f"Column_{place}" for place in range(len(names))]


def _opened(path: Path) -> Any:
    import lightgbm

    try:
        return lightgbm.Booster(model_file=str(path))
    except lightgbm.basic.LightGBMError as error:
        raise ConversionError(f"LightGBM cannot read {path.name} ({error}); save it again with save_model") from error

"""XGBoost to ONNX: boosters, their scikit-learn wrappers, and model files (`.json` and `.ubj` of `save_model`)."""

from pathlib import Path
from typing import Any

import numpy as np

from agnostic.converters import metadata, tidy
from agnostic.converters.conversion import Array, Converted, Facts, Feeds, Request
from agnostic.converters.from_lightgbm import by_task
from agnostic.converters.sklearn_inputs import Column, Inputs
from agnostic.errors import ConversionError

_OPSET = 15
_EITHER = [True, False]


def convert(source: Any, request: Request) -> Converted:
    """Convert a booster, an `XGBClassifier` or `XGBRegressor`, or a model file.

    Raises:
        ConversionError: the file is broken, or the booster is of a kind that onnxmltools does not know.
    """
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    wrapper = source if hasattr(source, "get_booster") else None
    booster = _opened(source) if isinstance(source, Path) else source.get_booster() if wrapper is not None else source
    names, width = booster.feature_names, booster.num_features()
    inputs = Inputs(tuple(map(Column, names or [f"x{place}" for place in range(width)])))
    booster = _numbered(booster)
    proto = onnxmltools.convert_xgboost(
        booster, initial_types=[("X", FloatTensorType([None, width]))], target_opset=request.opset or _OPSET
    )
    outputs = ["label", "probabilities"] if len(proto.graph.output) > 1 else ["value"]
    proto = tidy.tidy(proto)
    tidy.rename(proto, tidy.ends(proto, (), outputs))

    def answer(feeds: Feeds) -> dict[str, Array]:
        made = np.asarray(booster.inplace_predict(np.ascontiguousarray(feeds["X"], np.float32)))
        return by_task(made, outputs)

    labels = metadata.as_labels(getattr(wrapper, "classes_", None))
    return Converted(proto, answer, Facts(labels=labels, table=inputs.table()), inputs.likeness(request))


def register() -> None:
    """Let skl2onnx convert XGBoost's wrappers inside pipelines."""
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx import update_registered_converter
    from skl2onnx.common import shape_calculator as shapes
    from xgboost import XGBClassifier, XGBRegressor

    for kind, shape, options in (
        (XGBClassifier, shapes.calculate_linear_classifier_output_shapes, {"nocl": _EITHER, "zipmap": _EITHER}),
        (XGBRegressor, shapes.calculate_linear_regressor_output_shapes, {}),
    ):  # fmt: skip
        update_registered_converter(kind, f"XGBoost{kind.__name__}", shape, convert_xgboost, options=options)


def _opened(path: Path) -> Any:
    import xgboost

    booster = xgboost.Booster()
    try:
        booster.load_model(path)
    except xgboost.core.XGBoostError as error:
        reason = str(error).strip().splitlines()[-1][:160]
        raise ConversionError(f"XGBoost cannot read {path.name} ({reason}); save it again with save_model") from error
    return booster


def _numbered(booster: Any) -> Any:
    """Copy a booster without its feature names: onnxmltools reads trees only where these are numbers."""
    copy = booster.copy()
    copy.feature_names = None
    return copy

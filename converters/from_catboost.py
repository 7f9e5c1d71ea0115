"""CatBoost to ONNX by CatBoost's own exporter, which knows numerical features only."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from agnostic.converters import metadata, tidy
from agnostic.converters.conversion import Array, Converted, Facts, Feeds, Request
from agnostic.converters.from_lightgbm import by_task
from agnostic.converters.sklearn_inputs import Column, Inputs
from agnostic.errors import ConversionError


def convert(source: Any, request: Request) -> Converted:
    """Convert a `CatBoost` model or a `.cbm` file.

    Raises:
        ConversionError: the file is broken, or the model was trained on categories or text.
    """
    model = _opened(source) if isinstance(source, Path) else source
    if model.get_cat_feature_indices() or model.get_text_feature_indices():
        raise ConversionError(
            "the model was trained on categories or text, which CatBoost's exporter to ONNX does not know; encode them "
            "as numbers (one column per category) and train it again"
        )
    names = list(model.feature_names_)
    given = names if names != [str(place) for place in range(len(names))] else [f"x{i}" for i in range(len(names))]
    inputs = Inputs(tuple(map(Column, given)))
    proto = _flat(_exported(model))
    outputs = ["label", "probabilities"] if len(proto.graph.output) > 1 else ["value"]
    proto = tidy.tidy(proto, tidy.ends(proto, ["X"], outputs))
    classes = getattr(model, "classes_", None)

    def answer(feeds: Feeds) -> dict[str, Array]:
        rows = np.ascontiguousarray(feeds["X"], np.float32)
        if outputs == ["value"]:
            return by_task(np.asarray(model.predict(rows, prediction_type="RawFormulaVal")), outputs)
        return {"probabilities": np.asarray(model.predict(rows, prediction_type="Probability"))}

    labels = metadata.as_labels(classes)
    return Converted(proto, answer, Facts(labels=labels, table=inputs.table()), inputs.likeness(request))


def _opened(path: Path) -> Any:
    import catboost

    try:
        return catboost.CatBoost().load_model(str(path))
    except catboost.CatBoostError as error:
        reason = str(error).strip().splitlines()[-1][:160]
        raise ConversionError(f"CatBoost cannot read {path.name} ({reason}); save it again with save_model") from error


def _exported(model: Any) -> onnx.ModelProto:
    import catboost

    with tempfile.TemporaryDirectory(prefix="agnostic-") as folder:
        file = Path(folder) / "model.onnx"
        try:
            model.save_model(str(file), format="onnx")
        except catboost.CatBoostError as error:
            reason = str(error).strip().splitlines()[-1][:160]
            raise ConversionError(f"CatBoost cannot write this model as ONNX ({reason})") from error
        return onnx.load(file)


def _flat(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Give out the array of probabilities itself, not the sequence of mappings that CatBoost makes of it."""
    maps = [node for node in proto.graph.node if node.op_type == "ZipMap"]
    for node in maps:
        proto.graph.node.remove(node)
        kept = [value for value in proto.graph.output if value.name not in node.output]
        made = onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, ["batch", None])
        del proto.graph.output[:]
        proto.graph.output.extend([*kept, made])
    return proto

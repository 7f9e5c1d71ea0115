"""A model whose attentions can be read: fused attention written out, once per model."""

from weakref import WeakKeyDictionary

from agnostic.converters.attention import Attention, attentions
from agnostic.converters.loader import Loaded
from agnostic.converters.unfuse import closed, unfused
from agnostic.engine.facts import Facts
from agnostic.engine.model import Model
from agnostic.errors import ConversionError

# A model that held itself here would never be forgotten: None stands for it.
_OPENED: WeakKeyDictionary[Model, tuple[Model | None, tuple[Attention, ...]]] = WeakKeyDictionary()


def opened(model: Model) -> tuple[Model, tuple[Attention, ...]]:
    """Return the model with every attention's probabilities a tensor, and these attentions in the order of the graph.

    It is the model itself where nothing is fused; tensors keep their names either way.

    Raises:
        ConversionError: a fused attention cannot be opened.
    """
    if model not in _OPENED:
        found = _unfused(model)
        _OPENED[model] = None if found is model else found, attentions(found.proto)
    other, listed = _OPENED[model]
    return other or model, listed


def _unfused(model: Model) -> Model:
    proto = unfused(model.proto)
    if kinds := closed(proto):
        raise ConversionError(
            f"com.microsoft.{', '.join(kinds)} keeps its attention to itself; export the model without fused attention"
        )
    if proto is model.proto:
        return model
    facts = Facts(model.labels, model.preprocess)
    return Model(
        Loaded(proto, model.sha256, model.path),
        facts,
        name=model.name,
        device=model.device,
        raw_output=model.raw_output,
        straight_through=model.straight_through,
        allow_parity=model.allow_parity,
    )

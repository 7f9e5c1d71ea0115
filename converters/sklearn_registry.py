"""What skl2onnx has to be told before it converts: boosters of other packages, and numbers that protobuf refuses."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from agnostic.converters.sklearn_inputs import walk

_HISTOGRAMS = ("SklearnHistGradientBoostingClassifier", "SklearnHistGradientBoostingRegressor")


def prepare(estimator: Any) -> None:
    """Register what an estimator needs; doing it twice does no harm."""
    found = {type(part).__module__.partition(".")[0] for part in walk(estimator)}
    if "lightgbm" in found:
        from agnostic.converters import from_lightgbm

        from_lightgbm.register()
    if "xgboost" in found:
        from agnostic.converters import from_xgboost

        from_xgboost.register()
    for alias in _HISTOGRAMS:
        _plain_numbers(alias)


def known_options(estimator: Any, wanted: Iterable[str]) -> list[str]:
    """Keep of some options those that an estimator's converter has."""
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common._registration import _converter_pool as pool
    from skl2onnx.common._registration import get_converter  # noqa: F401 - fills the registry

    last = estimator.steps[-1][1] if getattr(estimator, "steps", None) else estimator
    alias = sklearn_operator_name_map.get(type(last))
    if alias is None or alias not in pool:
        return list(wanted)
    allowed = pool[alias].get_allowed_options()
    return [name for name in wanted if allowed is None or name in allowed]


def _plain_numbers(alias: str) -> None:
    """Wrap a converter that writes NumPy's integers into attributes, which newer protobufs refuse."""
    from skl2onnx.common._registration import _converter_pool as pool

    converter = pool.get(alias)
    if converter is None or hasattr(converter._fct, "agnostic"):
        return
    original = converter._fct

    def wrapped(scope: Any, operator: Any, container: Any) -> None:
        original(scope, operator, _Plain(container))

    wrapped.agnostic = True  # type: ignore[attr-defined]
    converter._fct = wrapped


class _Plain:
    """A container of skl2onnx's that turns NumPy's scalars, and truths, into Python's numbers."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *args: Any, **attributes: Any) -> None:
        self._container.add_node(*args, **{name: _plain(value) for name, value in attributes.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, bool) else value

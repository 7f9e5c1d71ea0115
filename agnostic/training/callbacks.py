"""Recording from the loops of frameworks: what each calls at the end of an epoch. No framework is imported here.

* PyTorch: `after = TorchCallback(rec, module, inputs, labels)`, then `after()` at the end of each epoch;
* Keras: `model.fit(..., callbacks=[keras_callback(rec, x, y)])`;
* Lightning: `Trainer(callbacks=[lightning_callback(rec, inputs, labels)])`;
* scikit-learn: `partial_fit(rec, estimator, x, y, epochs=20)`, or `record_estimator` in a loop of one's own.

All record the whole training set as the model sees it at the end of the epoch, in the order in which it is given; the
samples' numbers are their places in it.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.errors import InputError, UsageError
from agnostic.training.recorder import Recorder, as_array

ROWS = 512
_ABSENT = "is not imported: import it first; this callback belongs into its training loop"


class TorchCallback:
    """Call it at the end of each epoch of a PyTorch loop."""

    def __init__(self, recorder: Recorder, module: Any, inputs: Any, labels: Any, *, batch_size: int = ROWS) -> None:
        """Take the module and the training set.

        Args:
            recorder: where to record.
            module: from a batch of inputs to class scores.
            inputs: (n, ...) tensor on any device; moved to that of the module batch by batch.
            labels: (n,) the assigned classes.
            batch_size: rows per pass.
        """
        self._recorder, self._module, self._size = recorder, module, batch_size
        self._inputs, self._labels = inputs, as_array(labels)

    def __call__(self) -> int:
        """Record an epoch; the module is in evaluation mode meanwhile, without gradients. Gives its number."""
        torch = _loaded("torch")
        was_training = self._module.training
        self._module.eval()
        try:
            with torch.no_grad():
                for start in range(0, len(self._labels), self._size):
                    self._batch(start)
        finally:
            self._module.train(was_training)
        return self._recorder.epoch()

    def _batch(self, start: int) -> None:
        rows = self._inputs[start : start + self._size]
        device = next((weight.device for weight in self._module.parameters()), None)
        scores = self._module(rows if device is None else rows.to(device))
        ids = np.arange(start, start + len(scores))
        self._recorder.batch(ids, scores, self._labels[ids])


def keras_callback(recorder: Recorder, x: Any, y: Any, *, batch_size: int = ROWS, logits: bool | None = None) -> Any:
    """Make a `keras.callbacks.Callback` that records at the end of each epoch.

    Args:
        recorder: where to record.
        x: the training set's inputs, in a fixed order.
        y: (n,) the assigned classes, or (n, classes) one-hot.
        batch_size: rows per pass.
        logits: whether the model gives scores before the softmax; by default told from the last layer's activation.

    Raises:
        UsageError: Keras is not imported.
    """
    keras = _loaded("keras")
    labels = _plain_labels(y)

    def on_epoch_end(self: Any, epoch: int, logs: Any = None) -> None:
        scores = as_array(self.model.predict(x, batch_size=batch_size, verbose=0))
        raw = _gives_logits(self.model) if logits is None else logits
        recorder.epoch(np.arange(len(labels)), scores if raw else logs_of(scores), labels)

    return type("RecorderCallback", (keras.callbacks.Callback,), {"on_epoch_end": on_epoch_end})()


def _gives_logits(model: Any) -> bool:
    activation = getattr(model.layers[-1], "activation", None)
    return getattr(activation, "__name__", "linear") not in ("softmax", "sigmoid", "log_softmax")


def lightning_callback(recorder: Recorder, inputs: Any, labels: Any, *, batch_size: int = ROWS) -> Any:
    """Make a Lightning callback that records at the end of each training epoch; see `TorchCallback`.

    Raises:
        UsageError: Lightning is not imported, neither as `lightning` nor as `pytorch_lightning`.
    """
    name = next((name for name in ("lightning.pytorch", "pytorch_lightning") if name in sys.modules), "lightning")
    base = _loaded(name).Callback

    def on_train_epoch_end(self: Any, trainer: Any, module: Any) -> None:
        # One of several processes records; all hold the same weights.
        if getattr(trainer, "is_global_zero", True):
            TorchCallback(recorder, module, inputs, labels, batch_size=batch_size)()

    return type("RecorderCallback", (base,), {"on_train_epoch_end": on_train_epoch_end})()


def partial_fit(
    recorder: Recorder,
    estimator: Any,
    x: Any,
    y: npt.ArrayLike,
    *,
    epochs: int,
    batch_size: int = ROWS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """Train a scikit-learn classifier by `partial_fit` in shuffled batches, and record after each epoch.

    Args:
        recorder: where to record.
        estimator: with `partial_fit`, and `decision_function` or `predict_proba`.
        x: (n, features), an array or a sparse matrix.
        y: (n,) class numbers.
        epochs: how many times over the data.
        batch_size: rows per `partial_fit`.
        seed: of the order.
        progress: called with how many epochs are done, and of how many.
    """
    labels, rng = np.asarray(y), np.random.default_rng(seed)
    classes = np.arange(recorder.size.classes)
    for number in range(epochs):
        order = rng.permutation(len(labels))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            estimator.partial_fit(x[chosen], labels[chosen], classes=classes)
        record_estimator(recorder, estimator, x, labels)
        if progress is not None:
            progress(number + 1, epochs)
    return estimator


def record_estimator(recorder: Recorder, estimator: Any, x: Any, y: npt.ArrayLike) -> int:
    """Record an epoch of a scikit-learn classifier; give its number.

    Raises:
        UsageError: it has neither `decision_function` nor `predict_proba`.
        InputError: it knows fewer classes than the run has.
    """
    known = np.asarray(getattr(estimator, "classes_", range(recorder.size.classes))).tolist()
    if known != list(range(recorder.size.classes)):
        raise InputError(
            f"the classifier knows the classes {known[:12]}; the run has 0 to {recorder.size.classes - 1}: give all to "
            "the first partial_fit as classes="
        )
    if hasattr(estimator, "decision_function"):
        scores = np.asarray(estimator.decision_function(x))
    elif hasattr(estimator, "predict_proba"):
        scores = logs_of(np.asarray(estimator.predict_proba(x)))
    else:
        raise UsageError(f"{type(estimator).__name__} has neither decision_function nor predict_proba")
    return recorder.epoch(np.arange(len(scores)), scores, np.asarray(y))


def logs_of(chances: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Turn probabilities into scores whose softmax they are: (n, classes); of one column, those of two classes."""
    wide = np.asarray(chances, np.float64)
    if wide.ndim == 1 or wide.shape[1:] == (1,):
        wide = np.stack([1 - wide.reshape(-1), wide.reshape(-1)], axis=1)
    return np.log(np.maximum(wide, np.finfo(np.float64).tiny))


def _plain_labels(y: Any) -> npt.NDArray[np.int64]:
    given = as_array(y)
    flat = given.argmax(axis=1) if given.ndim == 2 and given.shape[1] > 1 else given.reshape(-1)
    labels: npt.NDArray[np.int64] = flat.astype(np.int64)
    return labels


def _loaded(name: str) -> Any:
    module = sys.modules.get(name)
    if module is None:
        raise UsageError(f"{name.partition('.')[0]} {_ABSENT}")
    return module

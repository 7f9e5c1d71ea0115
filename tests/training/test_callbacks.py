"""Recording from the loops of frameworks: of PyTorch and scikit-learn themselves, of the others by their protocols."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import MultinomialNB

from agnostic.errors import InputError, UsageError
from agnostic.training import callbacks
from agnostic.training.recorder import Recorder
from agnostic.training.run import open_run

X = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
Y = np.arange(40) % 3


def test_a_pytorch_module_is_recorded_in_evaluation_mode(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.Dropout(0.9)).train()
    with Recorder(tmp_path / "run", 40, 3) as recorder:
        assert callbacks.TorchCallback(recorder, net, torch.from_numpy(X), torch.from_numpy(Y), batch_size=7)() == 0
    assert net.training
    scores = net.eval()(torch.from_numpy(X)).detach().numpy()
    kept = open_run(tmp_path / "run").block(0, 40)
    np.testing.assert_allclose(kept.logits[0], scores - scores.max(axis=1, keepdims=True), atol=2e-3)


def test_scikit_learn_learns_and_is_recorded(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with Recorder(tmp_path / "run", 40, 3) as recorder:
        model = callbacks.partial_fit(
            recorder, SGDClassifier(random_state=0), X, Y, epochs=4, batch_size=16, progress=lambda *at: told.append(at)
        )
    assert told[-1] == (4, 4)
    run = open_run(tmp_path / "run")
    assert run.epochs == 4
    np.testing.assert_array_equal(run.block(0, 40).logits[3].argmax(axis=1), model.predict(X))


def test_probabilities_alone_will_do(tmp_path: Path) -> None:
    model = MultinomialNB().partial_fit(np.abs(X), Y, classes=[0, 1, 2])
    with Recorder(tmp_path / "run", 40, 3) as recorder:
        callbacks.record_estimator(recorder, model, np.abs(X), Y)
    chances = open_run(tmp_path / "run").block(0, 40).probabilities()[0]
    np.testing.assert_allclose(chances, model.predict_proba(np.abs(X)), atol=2e-3)


def test_a_classifier_of_other_classes_is_refused(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", 40, 3) as recorder:
        with pytest.raises(InputError, match=r"knows the classes \[0, 1\]"):
            callbacks.record_estimator(recorder, SGDClassifier().fit(X[:20], Y[:20] % 2), X, Y)
        with pytest.raises(UsageError, match="neither decision_function nor predict_proba"):
            callbacks.record_estimator(recorder, SimpleNamespace(classes_=[0, 1, 2]), X, Y)


def _keras(monkeypatch: pytest.MonkeyPatch) -> type:
    """The part of Keras' protocol that matters: a base class, and a model that predicts."""
    keras, base = ModuleType("keras"), type("Callback", (), {"model": None})
    keras.callbacks = SimpleNamespace(Callback=base)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keras", keras)
    return base


@pytest.mark.parametrize("activation", ["softmax", "linear"])
def test_keras_calls_it_at_the_end_of_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, activation: str
) -> None:
    base = _keras(monkeypatch)
    scores = np.random.default_rng(1).normal(size=(40, 3))
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    layer = SimpleNamespace(activation=SimpleNamespace(__name__=activation))
    model = SimpleNamespace(predict=lambda _x, **_: chances if activation == "softmax" else scores, layers=[layer])
    with Recorder(tmp_path / "run", 40, 3) as recorder:
        made: Any = callbacks.keras_callback(recorder, X, np.eye(3)[Y])
        assert isinstance(made, base)
        made.model = model
        made.on_epoch_end(0, {"loss": 1.0})
    run = open_run(tmp_path / "run")
    np.testing.assert_array_equal(run.labels, Y)
    np.testing.assert_allclose(run.block(0, 40).probabilities()[0], chances, atol=2e-3)


@pytest.mark.parametrize("name", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning_calls_it_on_one_process_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module, base = ModuleType(name), type("Callback", (), {})
    module.Callback = base  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    with Recorder(tmp_path / "run", 40, 3) as recorder:
        made: Any = callbacks.lightning_callback(recorder, torch.from_numpy(X), Y)
        assert isinstance(made, base)
        net = torch.nn.Linear(5, 3)
        made.on_train_epoch_end(SimpleNamespace(is_global_zero=True), net)
        made.on_train_epoch_end(SimpleNamespace(is_global_zero=False), net)
        assert recorder.epochs == 1


def test_absent_frameworks_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("keras", "lightning.pytorch", "pytorch_lightning", "lightning"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with Recorder(tmp_path / "run", 40, 3) as recorder:
        for make in (callbacks.keras_callback, callbacks.lightning_callback):
            with pytest.raises(UsageError, match="is not imported"):
                make(recorder, X, Y)

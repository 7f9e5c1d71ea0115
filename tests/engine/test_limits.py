import threading
from collections.abc import Callable

import numpy as np
import onnx
import pytest

import agnostic
from agnostic.engine import limits
from agnostic.engine.limits import alarm, current, time_limit
from agnostic.errors import LimitError, UsageError


@pytest.fixture
def endless() -> onnx.ModelProto:
    """A loop that counts to 2^40, adding one each time."""
    body = onnx.parser.parse_graph("""
        body (int64 i, bool go, float[n,3] state) => (bool on, float[n,3] more) { on = Identity(go)
        one = Constant<value = float {1.0}>()
        more = Add(state, one) }
    """)
    proto = onnx.helper.make_model(
        onnx.parser.parse_graph("""
        g (float[n,3] x) => (float[n,3] y) { count = Constant<value = int64 {1099511627776}>()
        yes = Constant<value = bool {1}>()
        y = Identity(x) }
    """),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=8,
    )
    loop = onnx.helper.make_node("Loop", ["count", "yes", "x"], ["y"], body=body)
    proto.graph.node[-1].CopyFrom(loop)
    return proto


def test_a_near_endless_model_is_stopped_from_within(endless: onnx.ModelProto) -> None:
    model = agnostic.load(endless, device="cpu")
    with (
        pytest.raises(LimitError, match=r"stopped after 0.5 s: the time limit was hit; give more with --timeout"),
        time_limit(0.5),
    ):
        model.run(np.zeros((1, 3)))
    assert current() is None


def test_the_time_limit_of_explain_reaches_into_the_model(endless: onnx.ModelProto) -> None:
    with pytest.raises(LimitError, match=r"stopped after 0\.5 s"):
        agnostic.explain(agnostic.load(endless, device="cpu"), np.ones(3), "occlusion", 0, timeout=0.5)


def test_no_limit_is_no_deadline() -> None:
    with time_limit(None), alarm(lambda: pytest.fail("rang")) as deadline:
        assert current() is deadline is None
    with time_limit(float("inf")):
        assert current() is None


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_limit_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(UsageError, match="expected a number of seconds above 0"), time_limit(seconds):
        pytest.fail("ran")


def test_limits_nest_and_end_with_their_blocks() -> None:
    with time_limit(100):
        outer = current()
        with time_limit(50):
            inner = current()
            assert inner is not None and outer is not None and inner.remaining < outer.remaining
        assert current() is outer
    assert current() is None


def test_the_deadline_belongs_to_its_thread() -> None:
    seen: list[object] = []
    with time_limit(100):
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_the_alarm_rings_once_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rang = threading.Event()
    with time_limit(0.01), alarm(rang.set):
        assert rang.wait(5)


def test_an_alarm_that_did_not_ring_is_taken_back() -> None:
    before = threading.active_count()
    rang = threading.Event()
    with time_limit(100):
        with alarm(rang.set) as deadline:
            assert deadline is current()
        assert not rang.is_set()
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(5)
    assert threading.active_count() == before


def test_time_that_is_up_is_noticed_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Callable[[], float] = iter([0.0, 2.0, 2.0]).__next__
    monkeypatch.setattr(limits.time, "monotonic", clock)
    with time_limit(1), pytest.raises(LimitError, match="stopped after 1 s"), alarm(lambda: None):
        pytest.fail("ran")

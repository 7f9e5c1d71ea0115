import json

import numpy as np
import pytest

import agnostic
from agnostic.errors import InputError, UsageError
from agnostic.summary.clusters import Clusters
from agnostic.summary.priors import FORMAT, Prior

PRIOR = Prior({"cat": {"ear": 2.0, "tail": -1.0}}, {"cat": {"ear": 0.5}}, Clusters("map", np.eye(2, dtype=np.float32)))


def test_what_is_saved_loads_equal(tmp_path):
    PRIOR.save(tmp_path / "p.json")
    loaded = Prior.load(tmp_path / "p.json")
    assert (loaded.average, loaded.presence) == (PRIOR.average, PRIOR.presence)
    assert loaded.clusters.layer == "map"
    np.testing.assert_array_equal(loaded.clusters.centres, np.eye(2))


def test_each_method_leans_on_its_own_kind_of_weights():
    assert PRIOR.weights("glime") == {"cat": {"ear": 2.0, "tail": -1.0}}
    assert PRIOR.weights("lime_prior") == {"cat": {"ear": 0.5}}
    with pytest.raises(UsageError, match="all always do in this data set: take glime"):
        Prior({"cat": {"ear": 1.0}}, {"cat": {}}).weights("lime_prior")


@pytest.mark.parametrize("plain", [{"feature 0": 1.0}, {"class 0": {"feature 0": 1.0}}])
def test_a_plain_mapping_is_a_prior_too(additive, table, tmp_path, plain):
    (tmp_path / "p.json").write_text(json.dumps(plain))
    from_file = agnostic.explain(additive, table[0], "glime", 0, prior=tmp_path / "p.json", samples=200)
    given = agnostic.explain(additive, table[0], "glime", 0, prior=plain, samples=200)
    np.testing.assert_array_equal(from_file.weights, given.weights)
    assert from_file.meta["settings"]["prior"] == plain


def test_the_average_of_a_data_set_is_leant_on(additive, table, tmp_path):
    found = agnostic.summarize(additive, table[:20], "normlime", 0, samples=200)
    found.prior.save(tmp_path / "p.json")
    leaning = agnostic.explain(additive, table[30], "glime", 0, prior=str(tmp_path / "p.json"), force=1e6, samples=200)
    means = np.array([found.prior.average["class 0"][f"feature {i}"] for i in range(3)])
    np.testing.assert_allclose(leaning.weights / np.abs(leaning.weights).sum(), means / np.abs(means).sum(), atol=0.03)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[1, 2]", "expected weights by name"),
        (b"{", "not JSON"),
        (b'{"a": "b"}', "the weight of 'a' for '' is 'b'; expected a number"),
        (b'{"a": 1e999}', "expected a number"),
        (b'{"a": {"b": true}}', "the weight of 'b' for 'a' is True"),
        (json.dumps({"format": FORMAT, "average": {}}).encode(), "something missing or wrong in it"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_other_files_are_refused(tmp_path, content, said):
    (tmp_path / "p.json").write_bytes(content)
    with pytest.raises(InputError, match=said):
        Prior.load(tmp_path / "p.json")


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot be read: no such file"):
        Prior.load(tmp_path / "nothing.json")

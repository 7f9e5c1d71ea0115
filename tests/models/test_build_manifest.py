"""The manifest's figures are those that are measured now."""

import pytest

from agnostic import models
from agnostic.models import build_manifest


def test_measuring_again_finds_the_same() -> None:
    again, stated = build_manifest.measured(), models.manifest()
    for name, entry in stated["models"].items():
        found = again["models"][name].pop("top5", {})
        for picture, classes in entry.pop("top5", {}).items():
            assert found[picture] == pytest.approx(classes, abs=0.002)
    assert again == stated

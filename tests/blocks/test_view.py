import numpy as np
import pytest

from agnostic.blocks import Activation, Attribution, Part, View, attribute, between, layer_maps
from agnostic.blocks.attribution import channel_directions, position_directions
from agnostic.blocks.groups import groups, links
from agnostic.errors import UsageError

TARGETS = Attribution([0, 1], "linear")
ATOMS = ("neuron", "spatial", "channel", "group", "whole")
STYLES = ("bars", "dictionary", "icons", "links", "map", "maps", "number", "scaled icons", "table", "tiles")
VALID = {
    ("neuron", "activation"): {"maps"},
    ("spatial", "activation"): {"dictionary", "icons", "scaled icons", "map"},
    ("channel", "activation"): {"bars", "maps"},
    ("group", "activation"): {"maps", "icons"},
    ("neuron", "target"): {"maps"},
    ("spatial", "target"): {"map"},
    ("channel", "target"): {"bars"},
    ("group", "target"): {"table"},
    ("whole", "target"): {"number"},
}
PAIRS = {
    ("neuron", "spatial"): "maps",
    ("neuron", "channel"): "maps",
    ("spatial", "spatial"): "tiles",
    ("spatial", "channel"): "tiles",
    ("channel", "spatial"): "table",
    ("channel", "channel"): "table",
    ("group", "group"): "links",
}


@pytest.mark.parametrize("atom", ATOMS)
@pytest.mark.parametrize("kind", ["activation", "target"])
def test_the_table_of_views(atom, kind):
    content = Activation() if kind == "activation" else TARGETS
    for style in STYLES:
        if style in VALID.get((atom, kind), ()):
            assert View(Part(atom, "late"), content, style).kind == kind
        else:
            with pytest.raises(UsageError, match=r"cannot be shown as|holds no single number"):
                View(Part(atom, "late"), content, style)


@pytest.mark.parametrize("atom", ATOMS)
@pytest.mark.parametrize("to", ATOMS)
def test_the_table_of_views_between_layers(atom, to):
    content = Attribution(Part(to, "late"))
    if (atom, to) in PAIRS:
        assert View(Part(atom, "early"), content).style == PAIRS[atom, to]
    else:
        with pytest.raises(UsageError, match=f"{atom} to {to}: there is no such attribution; take "):
            View(Part(atom, "early"), content)


def test_attribution_views_hold_what_attribute_finds(smooth, on_smooth):
    found = attribute(smooth, on_smooth, "early", [0, 1], how="linear")

    def shown(atom, **options):
        return View(Part(atom, "early", **options), TARGETS).compute(smooth, on_smooth)

    np.testing.assert_array_equal(shown("neuron")["maps"], [item.values for item in found])
    np.testing.assert_array_equal(shown("spatial")["maps"], [item.spatial for item in found])
    np.testing.assert_array_equal(shown("channel")["values"], [item.channels for item in found])
    np.testing.assert_array_equal(shown("whole")["values"], [item.total for item in found])
    np.testing.assert_array_equal(shown("channel", chosen=(3, 1))["values"], [item.channels[[3, 1]] for item in found])
    some = shown("spatial", chosen=(7,))["maps"]
    assert some[0].ravel()[7] == found[0].spatial.ravel()[7] and np.count_nonzero(some[0]) == 1
    parts = View(Part("group", "early", n=2), TARGETS).compute(smooth, on_smooth)
    np.testing.assert_allclose(parts["values"].sum(axis=0) + parts["rest"], [item.total for item in found], rtol=1e-4)


def test_activation_views(smooth, on_smooth):
    maps = layer_maps(smooth, on_smooth, "late")

    def shown(atom, style, **options):
        return View(Part(atom, "late", **options), style=style, top=2).compute(smooth, on_smooth)

    np.testing.assert_array_equal(shown("neuron", "maps")["maps"], maps)
    np.testing.assert_allclose(shown("channel", "bars")["values"], maps.sum(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(shown("channel", "maps", chosen=(2,))["maps"], maps[[2]])
    assert shown("spatial", "dictionary")["units"].shape == (4, 4, 2)
    icons = shown("spatial", "scaled icons")
    assert icons["icons"].shape == (16, 5) and icons["sides"].max() == 1
    np.testing.assert_array_equal(shown("group", "maps", n=2)["maps"], groups(smooth, on_smooth, "late", 2).spatial)


def test_views_between_layers(smooth, on_smooth, monkeypatch):
    monkeypatch.setattr("agnostic.blocks.view._AT_ONCE", 5)
    late = layer_maps(smooth, on_smooth, "late")

    def shown(atom, to, chosen=()):
        content = Attribution(Part(to, "late", chosen), steps=3)
        return View(Part(atom, "early"), content).compute(smooth, on_smooth)

    places = between(smooth, on_smooth, "early", "late", position_directions(late), steps=3)
    units = between(smooth, on_smooth, "early", "late", channel_directions(late.shape, range(5)), steps=3)
    np.testing.assert_allclose(shown("spatial", "spatial")["maps"], places.sum(axis=1), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(shown("channel", "spatial")["values"], places.sum(axis=(2, 3)), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(shown("spatial", "channel")["maps"], units.sum(axis=1), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(shown("neuron", "channel", (4, 0))["maps"], units[[4, 0]], rtol=1e-3, atol=1e-5)
    content = Attribution(Part("group", "late", n=2), steps=3)
    found = View(Part("group", "early", n=3), content).compute(smooth, on_smooth)
    told = links(
        smooth, on_smooth, groups(smooth, on_smooth, "early", 3), groups(smooth, on_smooth, "late", 2), steps=3
    )
    np.testing.assert_allclose(found["values"], told.values, rtol=1e-6)


def test_errors(smooth, on_smooth):
    with pytest.raises(UsageError, match="expected neuron, spatial"):
        Part("pixel", "late")
    with pytest.raises(UsageError, match="only positions"):
        Part("group", "late", chosen=(1,))
    with pytest.raises(UsageError, match="expected a list of targets"):
        Attribution("tabby")
    with pytest.raises(UsageError, match="expected a list of targets"):
        Attribution([])
    with pytest.raises(UsageError, match="adds nothing to itself"):
        View(Part("channel", "late"), Attribution(Part("channel", "late")))
    with pytest.raises(UsageError, match="channel 9 of 'late': expected 0 to 4"):
        View(Part("channel", "early"), Attribution(Part("channel", "late", (9,)))).compute(smooth, on_smooth)
    with pytest.raises(UsageError, match="unknown layer 'missing'"):
        View(Part("channel", "missing")).compute(smooth, on_smooth)

"""What is rendered beside the icons: dreams of pictures, groups raised on them, variants of units."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import agnostic
from agnostic.errors import InputError, UsageError
from agnostic.report.microscope import build
from agnostic.report.microscope.building import complete, open_site
from agnostic.report.microscope.jobs import Asked
from agnostic.report.microscope.renders import KINDS, Wish
from agnostic.report.microscope.serving import checker, renderer, understood
from agnostic.report.microscope.work import Work

_MADE = runpy.run_path(str(Path(__file__).parent / "microscope_model.py"))
net, pictures = _MADE["net"], _MADE["pictures"]


@pytest.fixture(scope="module", autouse=True)
def quick() -> Any:
    """Render few pixels in two steps."""
    from agnostic.optvis import presets

    tiny = {name: presets.Preset(name, 32, 2, 1.5, "for tests") for name in presets.PRESETS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "PRESETS", tiny)
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures(tmp_path_factory.mktemp("photos"), ["a.png", "b.png"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    out = tmp_path_factory.mktemp("renders") / "site"
    build(agnostic.load(net(), device="cpu"), photos, out, dreams=["r2"], variants=["r2:1"])
    return out


@pytest.fixture
def work(tmp_path: Path, photos: Path) -> Work:
    made = open_site(agnostic.load(net(), device="cpu"), photos, tmp_path / "site", layers=["r2"])
    complete(made)
    return made


def told(site: Path) -> dict[str, Any]:
    text = (site / "data/renders.js").read_text("utf-8")
    found: dict[str, Any] = json.loads(text[text.index(", ") + 2 : -3])
    return found


def test_a_build_makes_what_its_options_ask_for(site: Path) -> None:
    rows = told(site)
    counts = {name: int(name.rsplit("/", 1)[1]) for name in rows if name.startswith("groups/")}
    expected = [f"{kind}/{picture}/r2" for kind in ("deepdream", "caricature") for picture in "ab"]
    expected += ["negative/r2/1", "diversity/r2/1", "accentuate/a/r2/1", "accentuate/b/r2/1"]
    assert sorted(rows) == sorted([*expected, *counts])
    assert len(counts) == 2
    for name, row in rows.items():
        many = counts.get(name, 4 if name.startswith("diversity") else 1)
        assert len(row["pictures"]) == many
        for file in row["pictures"]:
            with Image.open(site / file) as picture:
                assert picture.size == (row["width"], row["height"])
        assert {"recipe", "of", "preset", "seed"} <= set(row["recipe"])


def test_going_on_makes_nothing_again_and_ends_with_the_same_bytes(site: Path, photos: Path) -> None:
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    again = build(agnostic.load(net(), device="cpu"), photos, site)
    assert again.made == 0
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before


def test_what_belongs_to_a_picture_goes_with_it(photos: Path, tmp_path: Path) -> None:
    model = agnostic.load(net(), device="cpu")
    build(model, photos, tmp_path / "site", layers=["r2"], dreams=["r2"])
    build(model, photos, tmp_path / "site", layers=["r2"], show=[photos / "b.png"])
    left = told(tmp_path / "site")
    assert {name.split("/")[1] for name in left} == {"b"}
    assert not (tmp_path / "site/data/renders/deepdream/a").exists() or not list(
        (tmp_path / "site/data/renders/deepdream/a").iterdir()
    )


@pytest.mark.parametrize(
    ("order", "wrong"),
    [
        ({"kind": "deepdream", "picture": "a"}, None),
        ({"kind": "deepdream", "picture": "z"}, "no such picture"),
        ({"kind": "deepdream", "picture": "a", "units": [1]}, "as a whole"),
        ({"kind": "negative", "units": [1]}, None),
        ({"kind": "negative", "units": [4]}, "expected 0 to 3"),
        ({"kind": "negative"}, "expected 0 to 3"),
        ({"kind": "negative", "units": [1], "picture": "a"}, "of no picture"),
        ({"kind": "groups", "picture": "a", "units": [77]}, "groups of 77"),
        ({"kind": "caricature", "picture": "../../a"}, "no such picture"),
        ({"kind": "caricature", "picture": "a", "layer": "../r2"}, "no such layer"),
    ],
)
def test_orders_are_checked_before_they_are_queued(work: Work, order: dict[str, Any], wrong: str | None) -> None:
    found = understood(json.dumps({"layer": "r2", **order}).encode())
    assert found is not None
    said = checker(work)(*found)
    assert said is None if wrong is None else wrong in str(said)


def test_a_served_page_gets_what_it_asks_for(work: Work) -> None:
    steps: list[tuple[int, int]] = []
    render = renderer(work)
    for kind, units, picture in (("deepdream", (), "b"), ("accentuate", (2,), "a"), ("negative", (0,), "")):
        assert render(Asked("r2", units, kind, picture), lambda done, total: steps.append((done, total))) == 1
    assert set(told(work.folder.root)) == {"deepdream/b/r2", "accentuate/a/r2/2", "negative/r2/0"}
    assert steps and all(0 < done <= total for done, total in steps)


def test_what_makes_no_sense_is_refused_before_any_work(photos: Path, tmp_path: Path) -> None:
    model: Callable[[], Any] = lambda: agnostic.load(net(), device="cpu")  # noqa: E731
    for text in ("r2", "r2:", ":1", "r2:x"):
        with pytest.raises(UsageError, match=r"LAYER:UNIT|layer"):
            build(model(), photos, tmp_path / "one", variants=[text])
    with pytest.raises(UsageError, match="unknown layer"):
        build(model(), photos, tmp_path / "two", dreams=["r9"])
    with pytest.raises((InputError, UsageError), match="expected 0 to 3"):
        build(model(), photos, tmp_path / "three", variants=["r2:9"])
    with pytest.raises(UsageError, match="expected 3 or more"):
        build(model(), photos, tmp_path / "four", atlas=["r2"])


def test_every_kind_has_a_name_of_its_own() -> None:
    names = [Wish(kind, "r2", "a", 1).name for kind in KINDS]
    assert len(set(names)) == len(KINDS)
    assert Wish("deepdream", "r2", "a").name == "deepdream/a/r2"

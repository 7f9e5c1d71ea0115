"""The microscope's builder: every file as its readers expect it, the same bytes however often it is stopped."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import agnostic
from agnostic.engine.model import Model
from agnostic.errors import InputError, ModelError, UsageError
from agnostic.report.microscope import build
from agnostic.report.microscope import work as working
from agnostic.report.microscope.folder import Folder, script, slugs
from agnostic.report.microscope.pages import placed, window
from agnostic.report.microscope.steps import Outcome, Steps

_MADE = runpy.run_path(str(Path(__file__).parent / "microscope_model.py"))
HOSTILE, UNSAFE, net, pictures = (_MADE[name] for name in ("HOSTILE", "UNSAFE", "net", "pictures"))


@pytest.fixture(scope="module")
def model() -> Model:
    return agnostic.load(net(), device="cpu")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def other() -> Model:
    return agnostic.load(net(units=5, seed=1), device="cpu")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make icons of a few pixels in two steps."""
    from agnostic.optvis import presets

    tiny = presets.Preset("draft", 16, 2, 1.5, "for tests")
    monkeypatch.setattr(presets, "PRESETS", {**presets.PRESETS, "draft": tiny})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model: Model, other: Model, photos: Path) -> Path:
    """A site with everything in it."""
    out = tmp_path_factory.mktemp("whole") / "site"
    with pytest.MonkeyPatch.context() as patch:
        from agnostic.optvis import presets

        tiny = presets.Preset("draft", 16, 2, 1.5, "for tests")
        patch.setattr(presets, "PRESETS", {**presets.PRESETS, "draft": tiny})
        build(model, photos, out, icons=["r2"], compare=other, atlas=["r2"], groups=["r2"])
    return out


def read(site: Path, file: str) -> tuple[str, Any]:
    """The key and value that a script registers, read as a browser would."""
    text = (site / file).read_text("utf-8")
    assert text.startswith("register(")
    assert text.endswith(");\n")
    key, value = text.removeprefix("register(").removesuffix(");\n").split(", ", 1)
    return json.loads(key), json.loads(value)


def contents(site: Path) -> dict[str, bytes]:
    return {str(p.relative_to(site)): p.read_bytes() for p in site.rglob("*") if p.is_file()}


def shape(site: Path, file: str) -> tuple[int, int]:
    with Image.open(site / file) as picture:
        return picture.size


def test_every_announced_file_is_there_under_its_own_key(whole: Path) -> None:
    key, site = read(whole, "data/site.js")
    assert key == "site"
    wanted = ["compare"] if site["compare"] else []
    wanted += [f"{kind}/{slug}" for kind in ("atlas", "overall") for slug in site[kind]]
    for layer in site["layers"]:
        wanted.append(f"layer/{layer['slug']}")
        shards = range(-(-layer["units"] // 32)) if layer["baseline_examples"] else ()
        wanted += [f"examples/{layer['slug']}/{shard}" for shard in shards]
        wanted += [f"icons/{layer['slug']}/{shard}" for shard in layer["icons"]]
    for image in site["images"]:
        wanted += [f"image/{image['id']}/{slug}" for slug in image["layers"]]
        wanted += [f"groups/{image['id']}/{slug}" for slug in image["groups"]]
        wanted += [f"channels/{image['id']}/{a}/{b}" for a, b in image["channels"]]
    found = {}
    for path in (whole / "data").rglob("*.js"):
        key, value = read(whole, str(path.relative_to(whole)))
        found[key] = value
    assert sorted(found) == sorted([*wanted, "renders", "site"])
    assert len(wanted) == 30


def test_the_site_names_what_the_model_is(whole: Path, model: Model) -> None:
    _, site = read(whole, "data/site.js")
    assert {layer["slug"]: layer["units"] for layer in site["layers"]} == {"r1": 6, "r2": 4, "p": 4}
    assert site["model"]["sha256"] == model.sha256
    assert site["model"]["classes"] == 3
    assert site["gradient"] is None
    assert site["parity"]["largest"] <= 1e-4 * site["parity"]["scale"]
    assert site["examples"] == {"count": 4, "folder": site["examples"]["folder"], "skipped": []}
    assert site["graph"]["edges"] == [[0, 1], [1, 2]]
    assert [node["column"] for node in site["graph"]["nodes"]] == [0, 1, 2]
    dead = {layer["slug"]: layer["dead"] for layer in site["layers"]}
    assert dead["r1"] >= 1
    receptive = {layer["slug"]: layer["receptive"] for layer in site["layers"]}
    assert receptive == {"r1": [3, 2], "r2": [7, 4], "p": None}


def test_a_layers_page_knows_its_units(whole: Path, model: Model, photos: Path) -> None:
    from agnostic.blocks.maps import as_sample, layer_maps

    _, page = read(whole, "data/layers/r1.js")
    peaks = np.stack([layer_maps(model, as_sample(model, path), "r1").max((1, 2)) for path in sorted(photos.iterdir())])
    assert [unit["max"] for unit in page["units"]] == pytest.approx(peaks.max(0).tolist(), rel=1e-4)
    assert [unit["mean"] for unit in page["units"]] == pytest.approx(peaks.mean(0).tolist(), rel=1e-4)
    assert page["units"][0]["dead"]
    assert all(sum(unit["histogram"]["counts"]) == 4 for unit in page["units"])
    assert page["down"] == [{"slug": "r2", "name": "r2"}]
    assert shape(whole, "data/layers/r1/top.jpg") == (64 * page["columns"], 64 * -(-6 // page["columns"]))


def test_examples_lie_where_the_sheet_has_them(whole: Path) -> None:
    _, sheet = read(whole, "data/layers/r2/examples-0.js")
    width, height = shape(whole, "data/layers/r2/examples-0.jpg")
    assert (width % 96, height % 96, width // 96) == (0, 0, sheet["columns"])
    for unit in sheet["units"].values():
        values = [row["value"] for row in unit["top"]]
        assert values == sorted(values, reverse=True)
        for row in [*unit["top"], *unit["spread"], *unit["bottom"]]:
            assert 0 <= row["cell"] < width * height // 96**2
            assert all(0 <= edge <= 1 for edge in [*row["peak"], *row["box"]])
            assert row["image"] in {"a.png", "b.png", "c.png", "d.jpg"}
        assert [row["quantile"] for row in unit["spread"]] == sorted(row["quantile"] for row in unit["spread"])


def test_a_pictures_page_agrees_with_the_model(whole: Path, model: Model, photos: Path) -> None:
    from agnostic.blocks.maps import as_sample, layer_maps

    _, page = read(whole, "data/images/a/r2.js")
    maps = layer_maps(model, as_sample(model, photos / "a.png"), "r2")
    channels, height, width = page["shape"]
    assert (channels, height, width) == maps.shape
    assert page["max"] == pytest.approx(float(maps.max()), rel=1e-4)
    flat = maps.reshape(channels, -1)
    for place, cell in enumerate(page["cells"]):
        for unit, value in cell:
            assert value == pytest.approx(float(flat[unit, place]), rel=1e-3)
    for index, total in page["totals"].items():
        # The head is linear, so that both rules are exact and add up to the rise of the score.
        assert total["completeness"] == pytest.approx(1, abs=1e-3)
        assert page["spatial"][index] == pytest.approx(page["spatial_linear"][index], rel=1e-2, abs=1e-4)
        assert sum(page["spatial"][index]) == pytest.approx(total["sum"], rel=1e-3, abs=1e-3)
    named = {unit for rows in page["channels"].values() for unit, *_ in rows}
    assert named <= {int(unit) for unit in page["maps"]}
    assert {badge["name"] for badge in page["badges"]} >= {"completeness", "path dependence", "ablation"}


def test_tiles_between_layers_hold_what_feeds_each_place(whole: Path, model: Model, photos: Path) -> None:
    from agnostic.blocks.maps import as_sample, layer_maps

    _, page = read(whole, "data/images/a/r2.js")
    sample = as_sample(model, photos / "a.png")
    early, late = layer_maps(model, sample, "r1"), layer_maps(model, sample, "r2")
    (_, h, w), (_, height, width) = early.shape, late.shape
    tiles = np.asarray(Image.open(whole / "data/images/a/r1__r2.png"))
    assert tiles.shape == (height * h, width * w)
    assert len(page["between"]["r1"]) == height * width
    for y in range(height):
        for x in range(width):
            tile = tiles[y * h : (y + 1) * h, x * w : (x + 1) * w]
            outside = tile.copy()
            # A place of the later layer sees three by three places of the earlier one.
            outside[max(0, 2 * y - 1) : 2 * y + 2, max(0, 2 * x - 1) : 2 * x + 2] = 0
            assert not outside.any()
    assert tiles.max() == 255


def test_groups_say_how_much_they_account_for(whole: Path) -> None:
    _, groups = read(whole, "data/images/a/r2.groups.js")
    explained = [choice["explained"] for choice in groups["choices"].values()]
    assert explained == sorted(explained)
    for number, choice in groups["choices"].items():
        assert len(choice["groups"]) == int(number)
        assert all(len(group["map"]) == 36 and len(group["to_classes"]) == 3 for group in choice["groups"])
    _, early = read(whole, "data/images/a/r1.groups.js")
    assert {(i, j) for i, j, _ in early["links"]["r2"]} == {(i, j) for i in range(early["default"]) for j in range(4)}


def test_icons_comparison_and_atlas_are_announced_and_drawn(whole: Path) -> None:
    _, icons = read(whole, "data/layers/r2/icons-0.js")
    assert list(icons["units"]) == ["0", "1", "2", "3"]
    assert shape(whole, "data/layers/r2/icons-0.jpg") == (1024, 128)
    assert all(unit["recipe"]["preset"]["steps"] == 2 for unit in icons["units"].values())
    _, compared = read(whole, "data/compare.js")
    assert [row["a"] for row in compared["layers"]] == ["r1", "r2"]
    assert compared["outputs"]["agreement"] <= 1
    assert (whole / compared["layers"][0]["sprite_b"]).is_file()
    _, atlas = read(whole, "data/atlas/r2.js")
    assert sum(cell["n"] for cell in atlas["cells"]) == 4 * 4 * 4  # all places inside the four maps
    names = {badge["name"] for badge in read(whole, "data/site.js")[1]["trust"]}
    assert {badge["name"] for unit in icons["units"].values() for badge in unit["badges"]} <= names


def test_units_know_what_they_serve_and_their_neighbours(whole: Path) -> None:
    _, page = read(whole, "data/layers/r1.js")
    assert any(row["down"] for row in page["neighbours"].values())
    assert any(unit["supports"] for unit in page["units"])
    for unit in page["units"]:
        assert [row["value"] for row in unit["supports"]] == sorted(
            (r["value"] for r in unit["supports"]), reverse=True
        )


def test_no_file_holds_a_place_of_this_machine_or_a_date(whole: Path, photos: Path) -> None:
    for path in whole.rglob("*"):
        if path.is_file() and ".cache" not in path.parts:
            assert str(photos.parent).encode() not in path.read_bytes(), path


def test_built_twice_or_again_the_bytes_are_the_same(tmp_path: Path, model: Model, photos: Path) -> None:
    first = build(model, photos, tmp_path / "site", icons=["r2"])
    before = contents(tmp_path / "site")
    again = build(model, photos, tmp_path / "site", icons=["r2"])
    assert (first.made > 0, again.made) == (True, 0)
    assert contents(tmp_path / "site") == before
    fresh = agnostic.load(net(), device="cpu")
    build(fresh, photos, tmp_path / "new" / "site", icons=["r2"])
    assert contents(tmp_path / "new" / "site") == before


@pytest.mark.parametrize("after", [1, 5, 9, 13])
def test_stopped_anywhere_and_gone_on_with_the_bytes_are_the_same(
    tmp_path: Path, model: Model, photos: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    shown = [photos / "a.png"]
    build(model, photos, tmp_path / "whole" / "site", show=shown, icons=["r2"])
    made = Steps.make
    count = 0

    def stopping(self: Steps, name: str, key: str, work: Callable[[], Outcome]) -> dict[str, Any]:
        nonlocal count
        count += 1
        if count == after:
            work()  # the files are written, and then the power goes
            raise KeyboardInterrupt
        return made(self, name, key, work)

    with monkeypatch.context() as patch:
        patch.setattr(Steps, "make", stopping)
        with pytest.raises(KeyboardInterrupt):
            build(model, photos, tmp_path / "site", show=shown, icons=["r2"])
    build(model, photos, tmp_path / "site", show=shown, icons=["r2"])
    assert contents(tmp_path / "site") == contents(tmp_path / "whole" / "site")


def test_what_is_shown_no_more_is_removed(tmp_path: Path, model: Model, photos: Path) -> None:
    out = tmp_path / "site"
    build(model, photos, out, show=[photos / "a.png", photos / "b.png"], layers=["r2"])
    assert (out / "data/images/b/r2.js").is_file()
    found = build(model, photos, out, show=[photos / "a.png"], layers=["r2"])
    assert found.pictures == ("a",)
    assert not list((out / "data/images/b").iterdir())
    assert [image["id"] for image in read(out, "data/site.js")[1]["images"]] == ["a"]


def test_broken_pictures_are_named_and_left_out(tmp_path: Path, model: Model) -> None:
    photos = pictures(tmp_path / "photos")
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    (photos / "notes.txt").write_text("no picture")
    found = build(model, photos, tmp_path / "site", show=[photos / "a.png", photos / "broken.png"])
    assert {row["file"] for row in found.skipped} == {"broken.png", "notes.txt"}
    assert not any(str(tmp_path) in row["reason"] for row in found.skipped)
    assert read(tmp_path / "site", "data/site.js")[1]["examples"]["skipped"] == [dict(row) for row in found.skipped]
    with pytest.raises(InputError, match=r"broken\.png"):
        build(model, photos, tmp_path / "other", show=[photos / "broken.png"])


def test_hostile_names_stay_text_and_inside_the_folder(tmp_path: Path) -> None:
    model = agnostic.load(net(HOSTILE, UNSAFE), device="cpu")
    photos = pictures(tmp_path / "photos", ["&'<.png", "con.png"])
    out = tmp_path / "sites" / "site"
    found = build(model, photos, out, icons=[UNSAFE])
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "sites"}
    assert {path.name for path in (tmp_path / "sites").iterdir()} == {"site"}
    assert set(found.pictures) == {"x-", "x-con"}
    for path in (out / "data").rglob("*.js"):
        assert not any(sign in path.read_text("utf-8") for sign in "<>&"), path
    _, site = read(out, "data/site.js")
    assert [layer["name"] for layer in site["layers"]][:2] == [HOSTILE, UNSAFE]
    assert all(slug.replace("_", "a").replace("-", "a").replace(".", "a").isalnum() for slug in
               (layer["slug"] for layer in site["layers"]))  # fmt: skip


def test_without_torch_the_cheap_pages_are_there_and_say_what_is_missing(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agnostic.engine.model.has_torch", lambda: False)
    model = agnostic.load(net(), device="cpu")
    out = tmp_path / "site"
    build(model, photos, out)
    _, site = read(out, "data/site.js")
    assert "torch" in site["gradient"]
    assert site["commands"]["gradient"] == "pip install 'agnostic-xai[grad]'"
    assert not any(image["pairs"] or image["channels"] for image in site["images"])
    _, page = read(out, "data/images/a/r2.js")
    assert page["cells"]
    assert (page["spatial"], page["channels"], page["badges"]) == ({}, {}, [])
    with pytest.raises(UsageError, match="torch"):
        build(model, photos, tmp_path / "icons", icons=["r2"])


def test_without_scikit_learn_there_are_no_groups(
    tmp_path: Path, model: Model, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "find_spec", lambda _name: None)
    build(model, photos, tmp_path / "site", show=[photos / "a.png"])
    assert [image["groups"] for image in read(tmp_path / "site", "data/site.js")[1]["images"]] == [[]]


def test_a_folder_of_something_else_is_refused(tmp_path: Path, model: Model, photos: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("dear")
    with pytest.raises(UsageError, match="holds other files"):
        build(model, photos, tmp_path / "mine")
    assert contents(tmp_path / "mine") == {"thesis.tex": b"dear"}
    with pytest.raises(UsageError, match="a file, not a folder"):
        build(model, photos, tmp_path / "mine" / "thesis.tex")


def test_links_do_not_lead_writes_out_of_the_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "site")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "site" / "data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="leads out"):
        folder.write("data/site.js", b"x")
    with pytest.raises(UsageError, match="leads out"):
        folder.write("../x", b"x")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_unknown_layers_and_presets_are_refused_before_any_work(tmp_path: Path, model: Model, photos: Path) -> None:
    for wrong in ({"icons": ["r3"]}, {"layers": ["r9"]}, {"preset": "huge"}, {"atlas": ["nothing"]}):
        with pytest.raises(UsageError, match="unknown"):
            build(model, photos, tmp_path / "site", **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "site" / "data").exists()
    with pytest.raises(InputError, match="no such folder"):
        build(model, tmp_path / "nowhere", tmp_path / "site")


def test_a_model_without_gradients_says_so_where_icons_are_wanted(
    tmp_path: Path, model: Model, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise ModelError("no gradient: the way ends in Round")

    monkeypatch.setattr("agnostic.optvis.lens.Lens.__init__", refused)
    with pytest.raises(ModelError, match="no gradient"):
        build(model, photos, tmp_path / "site", icons=["r2"])


def test_scripts_hold_no_sign_that_ends_them() -> None:
    made = script("</script>", {"x": ["<!--", "&\u2028", float("inf"), np.float32(0.1), "\ud800"]}).decode()
    assert not any(sign in made for sign in "<>&\u2028\u2029")
    assert json.loads(made[made.index(", ") + 2 : -3])["x"] == ["<!--", "&\u2028", None, 0.1, "?"]


def test_slugs_are_safe_and_each_its_own() -> None:
    names = ["a/b", "a:b", "A_B", "../..", "nul", "", "é", "x" * 300, "y" * 300, "-rf", ".hidden", "a__b"]
    found = slugs(names)
    assert len({slug.lower() for slug in found.values()}) == len(names)
    for slug in found.values():
        assert slug.isascii()
        assert len(slug) <= 90
        assert slug[0] not in ".-"
        assert "__" not in slug
        assert not set(slug) & set('/\\:*?"<>|')


def test_a_patch_never_leaves_the_picture_and_says_where_the_peak_is() -> None:
    for box in ((-30, -30, 10, 10), (20, 5, 23, 8), (90, 90, 140, 140), (-200, -200, 300, 300)):
        seen = window(box, (100, 120))
        assert min(seen) >= 0
        assert (seen[2] <= 100, seen[3] <= 120) == (True, True)
        assert seen[2] - seen[0] == seen[3] - seen[1]
    assert placed((20, 5, 24, 9), (0, 0, 40, 40)) == {"peak": [0.55, 0.175], "box": [0.5, 0.125, 0.6, 0.225]}

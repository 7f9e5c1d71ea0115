"""The pages in a real browser, opened from the disk: Debian's chromium and its driver, no Node."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.site

HERE = Path(__file__).parent
HOSTILE = "<img src=x onerror=alert(1)>"
LAYER, EARLIER = "fire9_concat", "fire7_concat"
PAGES = {
    "model": "#/",
    "layer": f"#/layer/{EARLIER}",
    "unit": f"#/layer/{LAYER}/unit/7",
    "image": "#/image/p0",
    "spatial": "#/spatial/p0",
    "groups": "#/groups/p0",
    "teaser": "#/teaser/p0",
    "dreams": "#/dreams/p0",
    "undreamt": f"#/dreams/p1?layer={EARLIER}",
    "models": "#/models",
    "atlas": f"#/atlas/{LAYER}",
    "trust": "#/trust?badge=path",
    "lost": "#/layer/nothing",
}
# What a page shows, without which element happens to have the focus or lie under the pointer.
SHOWN = """
const copy = M.main.cloneNode(true);
for (const node of copy.querySelectorAll("[tabindex]")) node.removeAttribute("tabindex");
for (const node of copy.querySelectorAll("[style]")) {
  node.setAttribute("style", node.style.cssText.split(/; ?/).sort().join("; "));
}
return copy.innerHTML + M.main.innerText;
"""
# Lit pixels differ from the picture below; a canvas from the disk may not be read, so only its class can be.
LIT = "return document.querySelector('[data-testid=light]').classList.contains('lit')"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose last layer, first label and first file are called by a piece of markup."""
    write: Callable[..., Path] = runpy.run_path(str(HERE / "fixture_site.py"))["write"]
    return write(tmp_path_factory.mktemp("site"), hostile=True)


@pytest.fixture
def page(visit: Callable[[Path], Any], site: Path) -> Any:
    return visit(site)


@pytest.mark.parametrize("hash_", PAGES.values(), ids=PAGES)
def test_a_page_opens_from_the_disk(page: Any, hash_: str) -> None:
    page.open(hash_)
    assert page.first("main h1").text
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("hash_", PAGES.values(), ids=PAGES)
def test_axe_finds_nothing_serious(page: Any, hash_: str, theme: str) -> None:
    assert page.serious(hash_, theme) == []


def test_markup_in_names_stays_text(page: Any) -> None:
    for hash_ in PAGES.values():
        page.open(hash_)
        assert page.run("return document.querySelectorAll('img[src=x], [onerror]').length") == 0
    assert page.open(f"#/layer/{LAYER}").first("h1").text == HOSTILE + "fire9/concat"
    page.open("#/image/p0")
    assert HOSTILE in page.first("h1").text and HOSTILE in page.first(".classes").text
    page.open(f"#/layer/{EARLIER}?filter=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    assert page.find("filter").get_property("value") == HOSTILE


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_sprites_are_as_large_as_the_data_says(site: Path) -> None:
    data = {
        path: json.loads(path.read_text("utf-8").split(", ", 1)[1].rsplit(");", 1)[0])
        for folder in ("layers", "images", "atlas")
        for path in (site / "data" / folder).rglob("*.js")
    }
    for path, meta in data.items():
        if path.name.startswith(("examples-", "icons-")):
            assert size_of(path.with_suffix(".jpg"))[0] == meta["cell"] * meta["columns"]
        elif path.parent.name == "layers" and (top := path.with_suffix("") / "top.jpg").exists():
            rows = -(-len(meta["units"]) // meta["columns"])
            assert size_of(top) == (meta["columns"] * meta["cell"], rows * meta["cell"])
    (hb, wb), (ha, wa) = ((data[site / f"data/images/p0/{slug}.js"])["grid"] for slug in (LAYER, EARLIER))
    assert size_of(site / f"data/images/p0/{EARLIER}__{LAYER}.png") == (wb * wa, hb * ha)


def test_the_browser_shows_a_sprite_cell_at_its_own_place(page: Any) -> None:
    page.open(f"#/layer/{EARLIER}?sort=index")
    style = page.run(
        "const s = getComputedStyle(document.querySelector('[data-testid=unit-13] .tile'));"
        "return [s.backgroundImage, s.backgroundPosition, s.backgroundSize, s.width]"
    )
    assert style[0].endswith(f'data/layers/{EARLIER}/top.jpg")')
    # Unit 13 of 12 columns: second row, second column. Some releases of the browser name the second size as well.
    assert [style[1], style[2].removesuffix(" auto"), style[3]] == ["-64px -64px", "768px", "64px"]


def test_a_cell_previews_pins_and_lets_go(page: Any) -> None:
    page.open(f"#/image/p0?layer={LAYER}")
    start = page.text("formula")
    page.hover(page.find("cell-2,3"))
    assert page.text("formula").startswith("a(3, 4)") and "cell=" not in page.hash
    page.leave()
    assert page.text("formula") == start
    page.click(page.find("cell-2,3"))
    assert "cell=2,3" in page.hash
    page.leave()
    assert page.text("formula").startswith("a(3, 4)")
    page.key("\ue00c")  # Escape
    assert "cell=" not in page.hash and page.text("formula") == start


def test_the_dictionary_says_what_the_data_says(page: Any) -> None:
    page.open(f"#/image/p0?layer={EARLIER}&cell=5,6")
    rows = page.run(f"return M.get('image/p0/{EARLIER}').cells[5 * 13 + 6]")
    shown = page.run("return [...document.querySelectorAll('.entry b')].map((node) => node.textContent)")
    assert len(shown) == len(rows) > 0
    assert [float(text.replace(",", "")) for text in shown] == pytest.approx([v for _, v in rows], rel=6e-3)
    heights = page.run(
        "return [...document.querySelectorAll('.column')].map("
        "(node) => parseFloat(getComputedStyle(node, '::before').height))"
    )
    assert heights == sorted(heights, reverse=True)


def test_arrows_move_between_cells_and_enter_pins(page: Any) -> None:
    page.open(f"#/image/p0?layer={LAYER}")
    page.run("document.querySelector('[data-testid=\"cell-0,0\"]').focus()")
    page.key("\ue014").key("\ue015")  # right, down
    assert page.run("return document.activeElement.dataset.testid") == "cell-1,1"
    assert page.text("formula").startswith("a(2, 2)")
    page.key("\ue007")  # Enter
    assert "cell=1,1" in page.hash
    assert page.run("return document.activeElement.getAttribute('aria-pressed')") == "true"


def test_a_channel_lights_the_picture_and_leads_to_its_unit(page: Any) -> None:
    page.open(f"#/image/p0?layer={LAYER}")
    assert not page.run(LIT)
    channel = page.first("[data-testid^='channel-fire9_concat-']")
    number = channel.get_attribute("data-testid").split("-")[-1]
    page.hover(channel)
    assert page.run(LIT) and f"unit {number}" in page.text("told")
    page.leave()
    assert not page.run(LIT)
    page.click(channel)
    assert f"channel={LAYER}:{number}" in page.hash and f"unit {number}" in page.text("channels-title")
    notes = page.run("return [...document.querySelectorAll('.attribution dt .quiet')].map((n) => n.textContent)")
    assert "feeding it" not in notes[0] and all("feeding it" in note for note in notes[1:])
    page.click(page.find("open-unit"))
    assert page.hash == f"#/layer/{LAYER}/unit/{number}"


def test_a_class_changes_the_units_and_lights_its_places(page: Any) -> None:
    page.open(f"#/image/p0?layer={LAYER}")
    second = page.run("return String(M.image('p0').top[1])")
    before = page.text("channels-title")
    page.hover(page.find(f"class-{second}"))
    assert page.run(LIT) and page.text("channels-title") != before
    page.click(page.find(f"class-{second}"))
    assert f"class={second}" in page.hash
    assert page.find(f"class-{second}").get_attribute("aria-pressed") == "true"


def test_the_linear_toggle_shows_the_other_numbers(page: Any) -> None:
    page.open(f"#/image/p0?layer={LAYER}")
    path = page.text("attribution")
    page.click(page.find("mode-linear"))
    assert "mode=linear" in page.hash and page.text("attribution") != path


def test_a_place_masks_the_other_layers(page: Any) -> None:
    page.open("#/spatial/p0")
    shown = "return [...document.querySelectorAll('.mask.shown')].map((node) => node.dataset.testid.slice(5))"
    assert page.run(shown) == []
    cell = page.first(f"[data-testid='grid-{EARLIER}'] ~ .grid [data-testid='cell-4,5']")
    page.click(cell)
    assert f"cell={EARLIER}:4,5" in page.hash
    page.run("return Promise.all([...document.images].map((image) => image.decode()))")
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(page.browser, 10, 0.05).until(lambda _: len(page.run(shown)) == 3)
    assert page.run(shown) == ["fire3_concat", "fire5_concat", LAYER]
    assert page.text(f"role-{EARLIER}") == "This place"
    assert (page.text("role-fire5_concat"), page.text(f"role-{LAYER}")) == ("Influences it", "Influenced by it")
    assert page.text("legend-title") == "What this place adds to each class"


def test_a_class_and_a_factor_mask_layers(page: Any) -> None:
    page.open("#/spatial/p0")
    masks = "return document.querySelectorAll('.mask.shown').length"
    page.hover(page.find("class-" + page.run("return String(M.image('p0').top[0])")))
    assert page.run(masks) == 4
    page.hover(page.find(f"factor-{LAYER}-0"))
    assert page.run(masks) == 1
    page.leave()
    assert page.run(masks) == 0


def test_a_mask_is_the_positive_attribution(page: Any) -> None:
    index = page.open("#/spatial/p0").run("return String(M.image('p0').top[0])")
    page.hover(page.find(f"class-{index}"))
    script = (
        f"const mask = document.querySelector('[data-testid=mask-{LAYER}]');"
        "const data = mask.getContext('2d').getImageData(0, 0, mask.width, mask.height).data;"
        "return Array.from(data).filter((_, n) => n % 4 === 0)"
    )
    values = np.maximum(page.run(f"return M.get('image/p0/{LAYER}').spatial[{index}]"), 0)
    expected = 255 * (values / values.max()) ** 0.7
    np.testing.assert_allclose(page.run(script), expected, atol=1)


def test_a_group_isolates_itself_and_its_links(page: Any) -> None:
    page.open(f"#/groups/p0?layer={LAYER}")
    assert "All 6 groups" in page.text("told")
    page.click(page.find("group-2"))
    assert f"group={LAYER}:6:2" in page.hash and "Group 3 of 6" in page.text("told")
    kept = page.run("return document.querySelectorAll('.sankey path:not(.faded)').length")
    assert 0 < kept < page.run("return document.querySelectorAll('.sankey path').length")
    page.hover(page.find("cell-3,3"))
    assert page.text("told").startswith("Here: ")


def test_a_group_that_was_raised_is_laid_on_the_picture(page: Any) -> None:
    page.open(f"#/groups/p0?layer={LAYER}")
    dream = "const node = document.querySelector('[data-testid=dream].lit'); return [Boolean(node), node && node.src]"
    assert page.run(dream)[0] is False
    page.hover(page.find("group-2"))
    shown, source = page.run(dream)
    assert shown and source.endswith(f"data/renders/groups/p0/{LAYER}/6-2.jpg")
    assert "raised where it fires" in page.text("told")
    page.leave()
    assert page.run(dream)[0] is False
    page.click(page.find("show-map"))
    page.hover(page.find("group-2"))
    assert "show=map" in page.hash and page.run(dream)[0] is False and page.run(LIT)


def test_dreams_are_shown_with_their_recipe_and_else_say_how_to_get_them(page: Any) -> None:
    page.open("#/dreams/p0")
    assert page.run("return document.querySelectorAll('.dreams .rendering img').length") == 3
    page.click(page.find("deepdream").find_element("css selector", "summary"))
    assert "deepdream" in page.text("deepdream")
    page.click(page.find(f"layer-{EARLIER}"))
    assert f"layer={EARLIER}" in page.hash and f"--dreams {EARLIER}" in page.text("caricature")
    wishes = page.run("return JSON.parse(document.querySelector('[data-wishes]').dataset.wishes)")
    assert wishes == [{"kind": "deepdream", "layer": EARLIER, "picture": "p0"}]


def test_a_unit_shows_its_variants_and_a_picture_changed_for_it(page: Any) -> None:
    page.open(f"#/layer/{LAYER}/unit/7")
    assert "Its opposite" in page.text("icons") and "Four that differ" in page.text("icons")
    assert page.find("accentuated").find_elements("css selector", "img")
    page.click(page.find("picture-p1"))
    assert "picture=p1" in page.hash and f"--variants {LAYER}:7" in page.first("main").text
    page.open(f"#/layer/{LAYER}/unit/8")
    wishes = page.run("return JSON.parse(document.querySelector('.icons [data-wishes]').dataset.wishes)")
    assert [wish["kind"] for wish in wishes] == ["negative", "diversity"]
    assert all(wish["units"] == [8] and wish["layer"] == LAYER for wish in wishes)


def test_the_slider_changes_the_number_of_groups(page: Any) -> None:
    page.open(f"#/groups/p0?layer={LAYER}")
    page.run("document.querySelector('[data-testid=slider]').focus()")
    page.key("\ue012")  # left
    assert "n=4" in page.hash and len(page.browser.find_elements("css selector", ".group")) == 4
    assert page.run("return document.activeElement.dataset.testid") == "slider"


def test_two_classes_are_chosen_and_never_the_same(page: Any) -> None:
    page.open("#/teaser/p0")
    third = page.run("return String(M.image('p0').top[2])")
    picked = page.find("select-b")
    page.run("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", picked, third)
    page.settled()
    assert f"b={third}" in page.hash
    assert page.run("return document.querySelector('[data-testid=select-a] option[disabled]').value") == third
    page.hover(page.first(".contest"))
    assert "is active" in page.text("told")


def test_units_are_sorted_and_filtered(page: Any) -> None:
    page.open(f"#/layer/{EARLIER}?sort=index")
    numbers = "return [...document.querySelectorAll('[data-unit]')].map((node) => Number(node.dataset.unit))"
    assert page.run(numbers) == list(range(72))
    page.click(page.find("sort-max"))
    most = page.run(f"return M.get('layer/{EARLIER}').units.map((unit) => unit.max)")
    assert [most[n] for n in page.run(numbers)] == sorted(most, reverse=True)
    page.find("filter").send_keys("17")
    page.settled()
    assert "filter=17" in page.hash and 17 in page.run(numbers) and page.text("count").endswith("of 72 units")
    assert page.run("return document.activeElement.dataset.testid") == "filter"


def test_a_unit_shows_its_examples_and_its_recipe(page: Any) -> None:
    page.open(f"#/layer/{LAYER}/unit/7")
    page.click(page.find("tab-spread"))
    assert "tab=spread" in page.hash and page.find("examples-spread").text
    page.click(page.find("recipe"))
    assert "steps" in page.find("icons").text


@pytest.mark.parametrize(
    "hash_",
    [
        f"#/layer/{EARLIER}?sort=sparse&filter=1",
        f"#/layer/{LAYER}/unit/7?tab=bottom",
        f"#/image/p0?layer={LAYER}&cell=3,4&mode=linear",
        f"#/spatial/p0?cell={EARLIER}:6,6",
        f"#/groups/p0?layer={EARLIER}&n=4&group={EARLIER}:4:1",
        f"#/teaser/p0?layer={EARLIER}&mode=linear",
        "#/models?layer=fire5_concat",
        f"#/atlas/{LAYER}?cell=3",
        "#/trust?badge=path",
    ],
)
def test_an_address_restores_what_was_seen(page: Any, hash_: str) -> None:
    page.open("#/")
    page.run("location.hash = arguments[0]", hash_)
    page.settled()
    came = page.run(SHOWN)
    assert page.open(hash_).run(SHOWN) == came


def test_what_is_missing_is_said_with_its_command(page: Any) -> None:
    page.open(f"#/layer/{EARLIER}")
    assert f"--icons {EARLIER}" in page.text("empty")
    assert "not been built" in page.open("#/layer/conv10").text("empty")


def test_a_site_without_gradients_still_reads(page: Any) -> None:
    """Take the gradients away: dictionary and groups stay, attribution says how to get it."""
    page.open("#/")
    page.run(
        "M.site().gradient = 'torch is not installed.'; M.site().commands.gradient = 'pip install torch';"
        "location.hash = '#/image/p1'"
    )
    page.settled()
    assert "torch is not installed." in page.text("empty") and "pip install torch" in page.text("empty")
    assert page.find("entries").text


def test_no_motion_where_none_is_wanted(page: Any) -> None:
    media = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    page.open("#/image/p0")
    slow = "return getComputedStyle(document.querySelector('.light')).transitionDuration"
    assert page.run(slow) == "0s"
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert page.run(slow) == "0.15s"

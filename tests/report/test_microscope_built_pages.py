"""Sites as the builder really writes them, in a browser: SqueezeNet on two photographs, a model of hostile names."""

import runpy
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import agnostic
from agnostic import models
from agnostic.report.microscope import build
from agnostic.report.microscope.building import complete, open_site
from agnostic.report.microscope.jobs import Jobs
from agnostic.report.microscope.serving import Server, checker, renderer

pytestmark = pytest.mark.site

_MADE = runpy.run_path(str(Path(__file__).parent / "microscope_model.py"))
HOSTILE, UNSAFE, net, pictures = (_MADE[name] for name in ("HOSTILE", "UNSAFE", "net", "pictures"))
LIT = "return document.querySelector('[data-testid=light]').classList.contains('lit')"
KINDS = ("squeezenet", "hostile")


@pytest.fixture(scope="session", autouse=True)
def quick() -> Iterator[None]:
    """Make icons of a few pixels in two steps: what is drawn is not looked at here."""
    from agnostic.optvis import presets

    tiny = {name: presets.Preset(name, 32, 2, 1.5, "for tests") for name in presets.PRESETS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presets, "PRESETS", tiny)
        yield


@pytest.fixture(scope="session")
def squeezenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("chelsea", "coffee"):
        shutil.copy(models.picture(name), folder / f"{name}.jpg")
    model = agnostic.load("squeezenet", device="cpu")
    return build(model, folder, folder / "site", layers=["fire7/concat", "fire9/concat"], groups=["fire9/concat"]).out


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Layers, files and labels that are pieces of markup."""
    folder = tmp_path_factory.mktemp("hostile")
    photos = pictures(folder / "photos", ("<b>bold.png", "a&quot;b.png", "c'd\"e.png", "d.png"))
    labels = folder / "labels.txt"
    labels.write_text(f"{HOSTILE}\n</script>\nthird\n", "utf-8")
    model = agnostic.load(net(HOSTILE, UNSAFE), device="cpu", labels=labels)
    other = agnostic.load(net(HOSTILE, UNSAFE, units=5, seed=1), device="cpu", labels=labels)
    return build(model, photos, folder / "site", icons=[UNSAFE], compare=other, atlas=[UNSAFE], dreams=[UNSAFE]).out


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a site of which nothing is rendered yet, and that renders what it is asked for."""
    photos = pictures(tmp_path / "photos", ("a.png", "b.png"))
    work = open_site(agnostic.load(net(), device="cpu"), photos, tmp_path / "site", layers=["r2"])
    complete(work)
    jobs = Jobs(renderer(work))
    with Server(work.folder.root, jobs, checker(work)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()
    jobs.stop()


@pytest.fixture(params=KINDS)
def page(request: pytest.FixtureRequest, visit: Callable[[Path], Any]) -> Any:
    return visit(request.getfixturevalue(request.param))


def addresses(page: Any) -> dict[str, str]:
    """One address of every kind of page that a site has, its slugs and pictures as it calls them."""
    page.open("#/")
    layer, first, image = page.run(
        "const site = M.site(), image = site.images[0];"
        "return [image.layers.at(-1), site.layers[0].slug, image.id].map(encodeURIComponent)"
    )
    pages = {name: f"#/{name}/{image}" for name in ("image", "spatial", "groups", "teaser", "dreams")}
    ends = {"model": "#/", "models": "#/models", "trust": "#/trust", "atlas": f"#/atlas/{layer}"}
    units = {"layer": f"#/layer/{layer}", "first": f"#/layer/{first}", "unit": f"#/layer/{layer}/unit/1"}
    return {**ends, **units, **pages}


def test_every_page_opens_with_something_on_it(page: Any) -> None:
    for name, hash_ in addresses(page).items():
        page.open(hash_)
        assert page.run("return M.main.dataset.page") != "lost", name
        assert page.run("return M.main.innerText.length") > 40, name
        assert page.run("return document.documentElement.scrollWidth <= innerWidth"), name
        broken = "return [...document.querySelectorAll('img[src]')].filter((i) => i.complete && !i.naturalWidth).length"
        assert page.run(broken) == 0, name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Any, theme: str) -> None:
    found = {name: page.serious(hash_, theme) for name, hash_ in addresses(page).items()}
    assert {name: rows for name, rows in found.items() if rows} == {}


def test_buttons_of_a_served_site_render_what_its_pages_lack(visit: Callable[[str], Any], served: str) -> None:
    page = visit(served)
    press = "return document.querySelector('[data-testid=render]')"
    page.open("#/layer/r2").until(press)
    assert page.text("render").startswith("Render 4 units")
    page.click(page.find("render")).until("return M.icon('r2', 3)")
    assert page.until("return M.layer('r2').complete_icons === 4").hash == "#/layer/r2"
    wanting = "return document.querySelectorAll('[data-testid=wanting]').length"
    whole = "return [...document.querySelectorAll('figure.rendering img')].every((i) => i.complete && i.naturalWidth)"
    picture = page.run("return encodeURIComponent(M.site().images[0].id)")
    for address in ("#/layer/r2/unit/1", f"#/dreams/{picture}"):
        before = page.open(address).until(press).run(wanting)
        page.click(page.find("render")).until(f"{wanting} < {before}")
        assert page.until(whole).run("return document.querySelectorAll('figure.rendering img').length") > 0


def test_pairs_of_two_models_come_the_most_or_the_least_alike_first(
    visit: Callable[[Path], Any], hostile: Path
) -> None:
    page = visit(hostile)
    shown = "return [...document.querySelectorAll('[data-testid=pairs] b')].map((node) => Number(node.textContent))"
    alike = page.open("#/models").run(shown)
    assert len(alike) > 1 and alike == sorted(alike, reverse=True)
    page.click(page.find("order-changed"))
    assert page.run(shown) == alike[::-1]
    assert page.open(page.hash).run(shown) == alike[::-1]


def test_names_stay_text(visit: Callable[[Path], Any], hostile: Path) -> None:
    page = visit(hostile)
    for hash_ in addresses(page).values():
        page.open(hash_)
        assert page.run("return document.querySelectorAll('img[src=x], [onerror], main b b').length") == 0
    assert HOSTILE in page.open("#/").first(".layers").text
    image = page.run("return encodeURIComponent(M.site().images[0].id)")
    page.open(f"#/image/{image}")
    assert page.first("h1").text in ("<b>bold.png", "a&quot;b.png", "c'd\"e.png", "d.png")
    assert "</script>" in page.first(".classes").text


def test_cells_channels_and_classes_preview_pin_and_let_go(page: Any) -> None:
    page.open(addresses(page)["image"])
    start = page.text("formula")
    page.hover(page.find("cell-1,2"))
    assert page.text("formula").startswith("a(2, 3)")
    page.click(page.find("cell-1,2"))
    assert "cell=1,2" in page.hash
    page.leave().key("\ue00c")  # Escape
    assert page.text("formula") == start
    channel = page.first("[data-testid^='channel-']")
    page.click(channel)
    assert page.run(LIT) and "channel=" in page.hash
    page.key("\ue00c")
    chosen = page.first("[data-testid^='class-']")
    page.click(chosen)
    assert page.run(LIT) and "class=" in page.hash


def test_places_and_factors_mask_layers(page: Any) -> None:
    page.open(addresses(page)["spatial"])
    masks = "return document.querySelectorAll('.mask.shown').length"
    page.click(page.first(".layerpanel:last-child [data-testid='cell-0,1']"))
    assert "cell=" in page.hash and page.text("legend-title") == "What this place adds to each class"
    page.leave().key("\ue00c")
    page.hover(page.first("[data-testid^='factor-']"))
    assert page.run(masks) == 1


def test_groups_isolate_themselves_and_their_number_changes(page: Any) -> None:
    page.open(addresses(page)["groups"])
    page.click(page.find("group-1"))
    assert "group=" in page.hash and "Group 2 of" in page.text("told")
    page.run("document.querySelector('[data-testid=slider]').focus()")
    page.key("\ue012")  # left
    assert "n=" in page.hash


def test_dreams_of_hostile_names_are_laid_on(visit: Callable[[Path], Any], hostile: Path) -> None:
    page = visit(hostile)
    page.open(addresses(page)["groups"])
    layer = page.run("return M.site().layers.find(({ name }) => name.includes('r2')).slug")
    page.open(addresses(page)["groups"] + f"?layer={layer}").hover(page.find("group-0"))
    assert page.run("return document.querySelector('[data-testid=dream]').matches('.lit')")
    page.open(addresses(page)["dreams"] + f"?layer={layer}")
    page.run(
        "return Promise.all([...document.images].map((image) => { image.loading = 'eager'; return image.decode(); }))"
    )
    assert (
        page.run("return [...document.querySelectorAll('.dreams img')].map((image) => image.naturalWidth > 0)")
        == [True] * 3
    )


def test_two_classes_are_compared(page: Any) -> None:
    page.open(addresses(page)["teaser"])
    page.hover(page.first(".contest"))
    assert page.run(LIT)
    picked = page.find("select-b")
    third = page.run("return String(M.image(M.state().id).top[2])")
    page.run("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", picked, third)
    assert f"b={third}" in page.settled().hash


def test_a_unit_leads_to_pictures_and_back(page: Any) -> None:
    page.open(addresses(page)["unit"])
    page.click(page.find("tab-spread"))
    assert page.find("examples-spread").text
    page.click(page.first("[aria-label='Pictures with this unit'] a"))
    assert page.hash.startswith("#/image/") and "channel=" in page.hash
    page.click(page.find("back") if page.hash.startswith("#/layer") else page.first("#nav .brand"))
    assert page.first("main h1").text


def test_addresses_restore_what_was_seen(page: Any) -> None:
    shown = "return M.main.innerText"
    for hash_ in (*addresses(page).values(), addresses(page)["image"] + "?cell=1,1&mode=linear"):
        page.open("#/")
        page.run("location.hash = arguments[0]", hash_)
        came = page.settled().run(shown)
        assert page.open(hash_).run(shown) == came


def test_groups_over_all_pictures_stand_on_their_layers_page(visit: Callable[[Path], Any], squeezenet: Path) -> None:
    page = visit(squeezenet).open("#/layer/fire9_concat")
    rows = page.find("overall").find_elements("css selector", "li")
    assert len(rows) == 8
    assert all(row.find_elements("css selector", ".tile[role=img]") for row in rows)
    assert "2 pictures gathered into 8 groups" in page.first("main").text


def test_rendered_icons_are_shown_with_their_recipe(visit: Callable[[Path], Any], hostile: Path) -> None:
    page = visit(hostile)
    page.open(addresses(page)["unit"])
    page.click(page.find("recipe"))
    assert "steps" in page.text("icons")

"""The page of a training run in a real browser, opened from the disk: pointing, keys, boxes, and hostile names."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agnostic.report.training import Asked, Site, build
from agnostic.training import aum, tidy
from agnostic.training.data import Shown, Texts, TrainingSet, arrays
from agnostic.training.dynamics import measure
from agnostic.training.influence import Influence
from agnostic.training.ranking import Ranking
from agnostic.training.recorder import Recorder
from agnostic.training.run import open_run

pytestmark = pytest.mark.site
HOSTILE = "</script><img src=x onerror=alert(1)>"
COUNT, EPOCHS = 240, 12
Open = Callable[[str], Any]


def _site(folder: Path, data: TrainingSet) -> Path:
    rng = np.random.default_rng(0)
    with Recorder(folder / "run", COUNT, 3) as recorder:
        for epoch in range(EPOCHS):
            scores = rng.normal(size=(COUNT, 3))
            scores[np.arange(COUNT), data.labels] += 0.6 * epoch
            scores[:9, (data.labels[:9] + 1) % 3] += 9
            recorder.epoch(np.arange(COUNT), scores, data.labels)
    run = open_run(folder / "run")
    dynamics = measure(run)
    answer = Influence(rng.normal(size=(1, COUNT)), (HOSTILE,), (f"log p({HOSTILE})",), {"solver": HOSTILE})
    asked = Asked(answer, (Shown(text=HOSTILE),), "influence")
    rankings = (tidy.tidy(dynamics), aum.aum(dynamics))
    names = (HOSTILE, "one", "two")
    return build(Site(HOSTILE, names, COUNT, data, run, dynamics, rankings, (asked,), HOSTILE), folder / "page")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    x = np.random.default_rng(1).integers(0, 256, (COUNT, 9, 9), dtype=np.uint8)
    return _site(tmp_path_factory.mktemp("pictures"), arrays(x, np.arange(COUNT) % 3))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert binary and driver, "these tests need Debian's chromium and chromium-driver on the path"
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})  # type: ignore[no-untyped-call]
    found = webdriver.Chrome(options=options, service=Service(driver))
    found.set_script_timeout(60)
    yield found
    found.quit()


@pytest.fixture
def opened(browser: Any, pictures: Path) -> Open:
    def opened(hash_: str, index: Path = pictures) -> Any:
        browser.get("about:blank")
        browser.get(f"{index.as_uri()}{hash_}")
        _wait(browser, "M.main.dataset.drawn !== undefined && !document.querySelector('.what.number')")
        return browser

    return opened


def _wait(browser: Any, condition: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 30).until(lambda found: found.execute_script(f"return Boolean({condition})"))


def _find(browser: Any, name: str) -> Any:
    return browser.find_element("css selector", f"[data-testid='{name}']")


def _move(browser: Any, node: Any, x: float, y: float, press: tuple[float, float] | None = None) -> None:
    """Move to a place of a node in its own pixels, and press there, or drag from there to another."""
    from selenium.webdriver import ActionChains

    size = node.size
    act = ActionChains(browser).move_to_element_with_offset(node, x - size["width"] / 2, y - size["height"] / 2)
    if press is not None:
        act = act.click_and_hold().move_by_offset(*press).release() if any(press) else act.click()
    act.perform()


def _place(browser: Any, sample: int) -> tuple[float, float]:
    """Where the ring of a sample lies on the map."""
    browser.execute_script(f"M.preview({{sample: '{sample}'}})")
    read = "return ['cx', 'cy'].map((name) => Number(document.querySelector('.ring').getAttribute(name)))"
    x, y = browser.execute_script(read)
    browser.execute_script("M.preview(null)")
    return x, y


@pytest.mark.parametrize(
    "hash_", ["", "#/?map=cartography&rank=aum", "#/?map=margin", "#/sample/3", "#/asked/0", "#/sample/999"]
)
def test_pages_open_from_the_disk_without_a_fault_a_request_or_foreign_markup(opened: Open, hash_: str) -> None:
    page = opened(hash_)
    faults = [line["message"] for line in page.get_log("browser") if line["level"] in ("SEVERE", "WARNING")]
    assert faults == []
    sent = [line for line in page.get_log("performance") if "Network.requestWillBeSent" in line["message"]]
    assert all(
        "file:///" in line["message"] or "data:" in line["message"] or "about:" in line["message"] for line in sent
    )
    assert page.execute_script("return document.querySelectorAll('img').length") == 0
    heading = page.find_element("css selector", "h1").text
    assert heading == "There is no such page" if "999" in hash_ else heading


def test_pointing_previews_clicking_keeps_escape_lets_go(opened: Open) -> None:
    page = opened("")
    canvas = _find(page, "map")
    x, y = _place(page, 2)
    _move(page, canvas, x, y)
    _wait(page, "document.querySelector('.card h2')")
    assert "sample=" not in page.current_url
    _move(page, canvas, x, y, (0, 0))
    _wait(page, "location.hash.includes('sample=')")
    kept = page.execute_script("return M.state().q.sample")
    assert (
        f"#{kept}" in page.find_element("css selector", ".card h2").text
        or kept in page.find_element("css selector", ".card h2").text
    )
    canvas.send_keys("\ue00c")  # Escape
    _wait(page, "!location.hash.includes('sample=')")


def test_a_box_narrows_the_list(opened: Open) -> None:
    page = opened("")
    canvas = _find(page, "map")
    x, y = _place(page, 0)
    _move(page, canvas, x - 30, y - 30, (60, 60))
    _wait(page, "location.hash.includes('box=')")
    told = page.find_element("css selector", "section .told").text
    assert "in the box" in told
    shown = page.execute_script("return [...document.querySelectorAll('.ranked .sample')].map((n) => +n.pin.sample)")
    inside = page.execute_script(
        "const [a, b, c, d] = M.state().q.box.split(',').map(Number), p = M.points();"
        "return p.label.map((_, n) => n).filter((n) => p.mean_epoch[n] >= a && p.mean_epoch[n] <= c"
        " && p.share_right[n] >= b && p.share_right[n] <= d)"
    )
    # Piles are spread out, so a few at the edge may fall in or out.
    assert 0 in shown and len(shown) == int(told.split()[0]) < COUNT
    assert len(set(shown) & set(inside)) >= 0.8 * len(inside) > 0


def test_arrows_walk_the_map_and_the_list(opened: Open) -> None:
    page = opened("")
    canvas = _find(page, "map")
    canvas.send_keys("\ue014")  # right
    _wait(page, "location.hash.includes('sample=')")
    first = page.execute_script("return M.state().q.sample")
    canvas.send_keys("\ue012")  # left
    _wait(page, f"M.state().q.sample !== '{first}'")
    tile = page.find_element("css selector", ".ranked [tabindex='0']")
    page.execute_script("arguments[0].focus()", tile)
    tile.send_keys("\ue014")
    after = page.execute_script("return document.activeElement.pin.sample")
    assert after == page.execute_script("return String(M.points().orders.tidy[1])")


def test_a_sample_tells_its_course_and_leads_on(opened: Open) -> None:
    page = opened("#/sample/4?rank=aum")
    cells = page.find_elements("css selector", "[data-testid='course'] rect")
    assert len(cells) == EPOCHS
    assert _find(page, "course").get_attribute("aria-label").startswith("Predicted as labelled in")
    _find(page, "next").click()
    _wait(page, "M.state().id !== '4'")
    page.find_element("css selector", "[data-testid='back']").click()
    _wait(page, "M.state().page === 'map' && M.state().q.rank === 'aum'")


def test_filters_and_more_change_the_list(opened: Open) -> None:
    page = opened("#/?label=1")
    labels = "return [...document.querySelectorAll('.sample')].every((n) => M.points().label[n.pin.sample] === 1)"
    assert page.execute_script(labels)
    page = opened("")
    count = "return document.querySelectorAll('.ranked .sample').length"
    before = page.execute_script(count)
    _find(page, "more").click()
    _wait(page, f"document.querySelectorAll('.ranked .sample').length > {before}")


def test_scores_without_a_run_are_a_list_of_samples(opened: Open, tmp_path: Path) -> None:
    x = np.random.default_rng(1).integers(0, 256, (COUNT, 9, 9), dtype=np.uint8)
    score = np.random.default_rng(2).normal(size=COUNT)
    ranking = Ranking("self-influence", score, np.argsort(-score), np.zeros(COUNT, bool), note=HOSTILE)
    names, data = (HOSTILE, "one", "two"), arrays(x, np.arange(COUNT) % 3)
    page = opened("", build(Site(HOSTILE, names, COUNT, data, rankings=(ranking,)), tmp_path / "page"))
    shown = "return [...document.querySelectorAll('.ranked .sample')].map((node) => +node.hash.split('/')[2])"
    assert page.execute_script(shown) == np.argsort(-score)[:96].tolist()
    _find(page, "more").click()
    _wait(page, "document.querySelectorAll('.ranked .sample').length === 192")
    page.execute_script("M.set({label: '1', many: null})")
    _wait(
        page, "[...document.querySelectorAll('.ranked .said span:first-child')].every((n) => n.textContent === 'one')"
    )
    page.find_element("css selector", ".ranked .sample").click()
    _wait(page, "M.state().page === 'sample'")
    page.find_element("css selector", "[data-testid='back']").click()
    _wait(page, "M.state().page === 'ranked'")
    assert [line for line in page.get_log("browser") if line["level"] in ("SEVERE", "WARNING")] == []
    assert page.execute_script("return document.querySelectorAll('img').length") == 0


def test_texts_are_read_as_texts(opened: Open, tmp_path: Path) -> None:
    texts = Texts(np.arange(COUNT) % 3, None, None, tuple(f"{HOSTILE} {k}" for k in range(COUNT)))
    page = opened("", _site(tmp_path, texts))
    assert page.find_element("css selector", ".what.words").text.startswith(HOSTILE)
    assert page.execute_script("return document.querySelectorAll('main img, main script').length") == 0


def test_nothing_is_wider_than_a_phone(opened: Open, browser: Any) -> None:
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        for hash_ in ("", "#/sample/4", "#/asked/0"):
            page = opened(hash_)
            assert page.execute_script("return document.documentElement.scrollWidth") <= 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

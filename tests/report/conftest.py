"""A real browser for the pages, opened from the disk: Debian's chromium and its driver, no Node."""

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

POINT = "const box = arguments[0].getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2];"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert binary and driver, "these tests need Debian's chromium and chromium-driver on the path"
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})  # type: ignore[no-untyped-call]
    browser = webdriver.Chrome(options=options, service=Service(driver))
    browser.set_page_load_timeout(60)
    browser.set_script_timeout(300)  # axe looks at thousands of cells, and the machine may be busy
    yield browser
    browser.quit()


def base_of(site: Path | str) -> str:
    """What the address of every file of a site begins with."""
    return f"{site.as_uri()}/" if isinstance(site, Path) else site


class Page:
    """One open page of a site, in a folder or at an address; every step waits until it has been drawn."""

    def __init__(self, browser: Any, site: Path | str) -> None:
        self.browser, self.base = browser, base_of(site)

    def open(self, hash_: str) -> "Page":
        """Load everything anew at an address."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.base}index.html{hash_}")
        return self.settled()

    def settled(self) -> "Page":
        drawn = (  # and every script of data that was asked for has arrived
            "return M.main.dataset.drawn === (location.hash || '#/') && !M.main.hasAttribute('aria-busy')"
            " && !document.querySelector('head script')"
        )
        return self.until(drawn)

    def until(self, script: str) -> "Page":
        """Wait until a script returns something true."""
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.browser, 30, 0.05).until(lambda browser: browser.execute_script(script))
        return self

    def find(self, testid: str) -> Any:
        return self.browser.find_element("css selector", f'[data-testid="{testid}"]')

    def first(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def hover(self, node: Any) -> "Page":
        self._mouse("mouseMoved", node)
        return self

    def leave(self) -> "Page":
        self.browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 2, "y": 2})
        return self

    def click(self, node: Any) -> "Page":
        for event in ("mouseMoved", "mousePressed", "mouseReleased"):
            self._mouse(event, node)
        return self.settled()

    def key(self, key: str) -> "Page":
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.browser).send_keys(key).perform()
        return self.settled()

    def serious(self, hash_: str, theme: str) -> list[Any]:
        """What axe finds serious at an address, in a theme."""
        found = importlib.util.find_spec("axe_playwright_python")
        assert found and found.origin, "make test-site installs axe"
        media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.open(hash_)
        self.run(Path(found.origin).with_name("axe.min.js").read_text("utf-8"))
        report = self.browser.execute_async_script("axe.run({preload: false}).then(arguments[0])")
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        assert report["passes"]
        serious = [rule for rule in report["violations"] if rule["impact"] in {"serious", "critical"}]
        return [(rule["id"], [node["html"][:200] for node in rule["nodes"][:3]]) for rule in serious]

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    @property
    def hash(self) -> str:
        return str(self.run("return location.hash"))

    def text(self, testid: str) -> str:
        return str(self.find(testid).text)

    def _mouse(self, event: str, node: Any) -> None:
        self.run("arguments[0].scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'})", node)
        x, y = self.run(POINT, node)
        press = {} if event == "mouseMoved" else {"button": "left", "clickCount": 1}
        self.browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": event, "x": x, "y": y, **press})


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[[Path | str], Page]]:
    """Open a site; it must end without an error, a dialog or a request that leaves the folder or the server."""
    chromium.get_log("browser"), chromium.get_log("performance")
    sites: list[str] = []

    def visited(site: Path | str) -> Page:
        sites.append(base_of(site))
        return Page(chromium, site)

    yield visited
    errors = [entry for entry in chromium.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]
    assert not errors
    messages = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    inside = (*sites, "data:", "about:")
    assert asked and not [url for url in asked if not url.startswith(inside)]
    assert not [m for m in messages if m["method"] == "Page.javascriptDialogOpening"]

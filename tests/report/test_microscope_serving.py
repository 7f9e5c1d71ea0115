"""The microscope's server: the site's files and nothing else, orders from its own pages only, a bounded queue."""

import http.client
import json
import runpy
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import agnostic
from agnostic.errors import InputError, UsageError
from agnostic.report.microscope.building import complete, open_site
from agnostic.report.microscope.jobs import UNITS, WAITING, Asked, Jobs
from agnostic.report.microscope.serving import Server, checker, content, is_local, renderer, understood

_MADE = runpy.run_path(str(Path(__file__).parent / "microscope_model.py"))
net, pictures = _MADE["net"], _MADE["pictures"]
Ask = Callable[..., tuple[int, Any]]
ORDER = json.dumps({"layer": "r2", "units": [1]})
JSON = {"Content-Type": "application/json"}


class Held:
    """Renders nothing until it is told to, and notes what it was asked for."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[tuple[str, tuple[int, ...]]] = []

    def __call__(self, asked: Asked, told: Callable[[int, int], None]) -> int:
        self.asked.append(asked[:2])
        while not self.go.wait(0.02):
            told(0, len(asked.units))
        if asked.layer == "broken":
            raise InputError("no such luck")
        return len(asked.units)


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "data").mkdir(parents=True)
    (root / ".cache").mkdir()
    page = "<html><meta content=\"connect-src 'none'\"><body></body></html>"
    texts = {"index.html": page, "app.js": "1", "data/site.js": "2", ".cache/x.js": "3", "build.json": "{}"}
    for file, text in {**texts, "data/a.exe": "4"}.items():
        (root / file).write_text(text)
    (tmp_path / "secret.js").write_text("secret")
    (root / "link.js").symlink_to(tmp_path / "secret.js")
    return root


@pytest.fixture
def server(site: Path, held: Held) -> Iterator[Server]:
    jobs = Jobs(held)
    with Server(site, jobs, lambda asked, _: "there is no such layer" if asked.layer == "none" else None) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()
    jobs.stop()


@pytest.fixture
def ask(server: Server) -> Ask:
    def ask(method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host="Host" in named)
        sent = {**named, **({"Content-Length": str(len(body))} if body is not None else {})}
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders((body or "").encode())
        answer = connection.getresponse()
        found = answer.read()
        connection.close()
        return answer.status, json.loads(found) if "json" in answer.getheader("Content-Type", "") else found.decode()

    return ask


def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")


def test_files_of_the_site_are_handed_out_and_the_page_may_ask(ask: Ask) -> None:
    assert ask("GET", "/data/site.js") == (200, "2")
    assert ask("GET", "/app.js?x=1") == (200, "1")
    status, page = ask("GET", "/")
    assert status == 200
    assert "connect-src 'self'" in page
    assert '<script src="served.js"></script>' in page
    assert ask("GET", "/served.js")[0] == 200
    assert ask("HEAD", "/app.js") == (200, "")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.js", "/%2e%2e/secret.js", "/data/../../secret.js", "//etc/passwd", "/link.js", "/.cache/x.js",
        "/build.json", "/data/", "/data", "/data/a.exe", "/..%5csecret.js", "/%00", "/data/./site.js", "/nothing.js",
    ],
)  # fmt: skip
def test_nothing_else_is_handed_out(ask: Ask, path: str) -> None:
    status, found = ask("GET", path)
    assert status == 404
    assert found == {"error": "there is no such page"}


def test_another_name_for_the_server_is_refused(ask: Ask, server: Server) -> None:
    port = server.server_address[1]
    assert ask("GET", "/app.js", Host="evil.example")[0] == 421
    assert ask("GET", "/app.js", Host=f"evil.example:{port}")[0] == 421
    assert ask("POST", "/render", ORDER, Host=f"evil.example:{port}", **JSON)[0] == 421
    assert ask("GET", "/app.js", Host=f"localhost:{port}") == (200, "1")


def test_orders_of_other_sites_and_other_types_are_refused(ask: Ask, held: Held, server: Server) -> None:
    assert ask("POST", "/render", ORDER, Origin="http://evil.example", **JSON)[0] == 403
    assert ask("POST", "/render", ORDER, Content_Type="text/plain")[0] == 415
    assert ask("POST", "/render", "x" * 5000, **JSON)[0] == 413
    assert ask("POST", "/render", "{", **JSON)[0] == 400
    assert ask("POST", "/render", json.dumps({"layer": "none", "units": [1]}), **JSON)[0] == 400
    assert ask("POST", "/elsewhere", ORDER, **JSON)[0] == 404
    assert held.asked == []
    assert ask("POST", "/render", ORDER, Origin=server.url.rstrip("/"), **JSON)[0] == 202


def test_jobs_are_done_in_their_order_and_told_of(ask: Ask, held: Held) -> None:
    assert ask("POST", "/render", ORDER, **JSON) == (202, {"job": 1})
    assert ask("POST", "/render", json.dumps({"layer": "r2", "unit": 2}), **JSON) == (202, {"job": 2})
    assert ask("POST", "/render", json.dumps({"layer": "broken", "units": [0]}), **JSON) == (202, {"job": 3})
    until(lambda: bool(held.asked))
    states = [job["state"] for job in ask("GET", "/jobs")[1]["jobs"]]
    assert states == ["running", "queued", "queued"]
    held.go.set()
    until(lambda: ask("GET", "/jobs")[1]["jobs"][-1]["state"] == "failed")
    jobs = ask("GET", "/jobs")[1]["jobs"]
    assert [(job["state"], job["error"]) for job in jobs] == [("done", ""), ("done", ""), ("failed", "no such luck")]
    assert held.asked == [("r2", (1,)), ("r2", (2,)), ("broken", (0,))]


def test_the_queue_is_bounded_and_holds_nothing_twice(ask: Ask, held: Held) -> None:
    first = ask("POST", "/render", ORDER, **JSON)
    until(lambda: bool(held.asked))
    assert ask("POST", "/render", ORDER, **JSON) == first
    for unit in range(WAITING):
        assert ask("POST", "/render", json.dumps({"layer": "r1", "unit": unit}), **JSON)[0] == 202
    assert ask("POST", "/render", json.dumps({"layer": "r1", "unit": WAITING}), **JSON)[0] == 503


def test_a_running_job_ends_when_the_server_does(held: Held) -> None:
    jobs = Jobs(held)
    job = jobs.ask("r2", [1])
    until(lambda: bool(held.asked))
    jobs.stop()
    assert job is not None
    assert (job.state, job.error) == ("failed", "the server was stopped")


@pytest.mark.parametrize(
    "order",
    [
        [], {}, {"layer": 1, "units": [1]}, {"layer": "a", "units": []}, {"layer": "a", "units": [-1]}, {"layer": "a"},
        {"layer": "a", "units": [True]}, {"layer": "a", "units": [1.5]}, {"layer": "a", "units": [1], "preset": 3},
        {"layer": "a", "units": list(range(UNITS + 1))}, {"layer": "a", "units": "1"}, "x",
        {"layer": "a", "kind": "anything"}, {"layer": "a", "kind": "groups", "units": [1, 2]},
        {"layer": "a", "kind": "deepdream", "picture": 1}, {"layer": "a", "kind": ["deepdream"]},
    ],
)  # fmt: skip
def test_orders_that_make_no_sense_are_not_understood(order: Any) -> None:
    assert understood(json.dumps(order).encode()) is None


def test_deeply_nested_orders_are_not_understood() -> None:
    assert understood(b"[" * 100_000) is None


def test_only_addresses_that_no_other_machine_reaches_are_taken(site: Path, held: Held) -> None:
    assert all(map(is_local, ("127.0.0.1", "localhost", "::1", "127.9.9.9")))
    assert not any(map(is_local, ("0.0.0.0", "::", "192.168.0.1", "example.org", "")))
    jobs = Jobs(held)
    with pytest.raises(UsageError, match="other machines"):
        Server(site, jobs, lambda *_: None, "0.0.0.0")
    jobs.stop()


def test_a_real_icon_is_rendered_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agnostic.optvis import presets

    tiny = presets.Preset("draft", 16, 2, 1.5, "for tests")
    monkeypatch.setattr(presets, "PRESETS", {**presets.PRESETS, "draft": tiny})
    photos = pictures(tmp_path / "photos", ["a.png", "b.png"])
    work = open_site(agnostic.load(net(), device="cpu"), photos, tmp_path / "site", layers=["r2"])
    complete(work)
    check = checker(work)
    assert check(Asked("r2", (1,)), None) is None
    assert "no such layer" in str(check(Asked("r7", (1,)), None))
    assert "0 to 3" in str(check(Asked("r2", (4,)), None))
    assert "preset" in str(check(Asked("r2", (1,)), "print"))
    steps: list[tuple[int, int]] = []
    assert renderer(work)(Asked("r2", (3,)), lambda done, total: steps.append((done, total))) == 1
    assert steps[-1] == (1, 1)
    found = content(work.folder.root, "/data/layers/r2/icons-0.js")
    assert found is not None
    assert list(json.loads(found[0][found[0].index(b", ") + 2 : -3])["units"]) == ["3"]
    site = content(work.folder.root, "/data/site.js")
    assert site is not None
    assert b'"complete_icons":1' in site[0]

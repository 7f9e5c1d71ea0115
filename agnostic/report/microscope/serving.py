"""A small server for one site on this machine: its files, and icons rendered when a page asks for them.

It answers only to its own name, hands out only the site's files, and takes orders only from its own pages: no listing,
no way out of the folder, no other origin.
"""

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from agnostic.errors import LimitError, UsageError
from agnostic.report.microscope.jobs import ICONS, UNITS, Asked, Jobs, Render
from agnostic.report.microscope.renders import KINDS, Kind, Wish
from agnostic.report.microscope.work import Work

SERVED = Path(__file__).parent / "served"
SCRIPT = "served.js"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".jpg": "image/jpeg",
    ".png": "image/png",
}
# Bytes of an order, seconds that a client may take, and clients at once.
_LARGEST, _PATIENCE, _CLIENTS = 4096, 15, 32
_HEADERS = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
Check = Callable[[Asked, str | None], str | None]


class Server(ThreadingHTTPServer):
    """Serves a folder; `jobs` takes the orders."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, root: Path, jobs: Jobs, check: Check, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind.

        Args:
            root: the site.
            jobs: the queue.
            check: says what is wrong with an order, and a preset if one is named; None where nothing is.
            host: an address of this machine that no other machine reaches.
            port: 0 for any that is free.

        Raises:
            UsageError: other machines reach that address.
            LimitError: the port is taken.
        """
        check_host(host)
        self.root, self.jobs, self.check = root.resolve(), jobs, check
        self._room = threading.BoundedSemaphore(_CLIENTS)
        self.address_family = _family(host)
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            reason = error.strerror
            raise LimitError(f"--port {port}: cannot listen on {host}: {reason}; choose another port") from error

    @property
    def url(self) -> str:
        """Where the site is."""
        host = str(self.server_address[0])
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_address[1]}/"

    @property
    def names(self) -> frozenset[str]:
        """What a client may call this server: anything else is another site that was pointed at it."""
        port = self.server_address[1]
        return frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]", str(self.server_address[0])))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Turn clients away while there are too many."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one client, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    server_version, sys_version = "agnostic", ""
    protocol_version = "HTTP/1.0"
    timeout = _PATIENCE

    def do_GET(self) -> None:
        """Hand out a file of the site, or the list of jobs."""
        if self._is_stranger():
            return
        path = unquote(urlsplit(self.path).path)
        if path == "/jobs":
            self._say(HTTPStatus.OK, {"jobs": self.server.jobs.list()})
        elif (found := content(self.server.root, path)) is None:
            self._say(HTTPStatus.NOT_FOUND, {"error": "there is no such page"})
        else:
            self._answer(HTTPStatus.OK, *found)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """Take an order."""
        if self._is_stranger():
            return
        origin = self.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc not in self.server.names:
            self._say(HTTPStatus.FORBIDDEN, {"error": "orders come from the site's own pages"})
        elif urlsplit(self.path).path != "/render":
            self._say(HTTPStatus.NOT_FOUND, {"error": "expected POST /render"})
        elif self.headers.get_content_type() != "application/json":
            # Pages of other sites cannot send this type without being asked first whether they may.
            self._say(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, {"error": "expected application/json"})
        else:
            self._order()

    def _order(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _LARGEST:
            self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"expected at most {_LARGEST} bytes"})
            return
        order = understood(self.rfile.read(int(length)))
        if order is None:
            self._say(HTTPStatus.BAD_REQUEST, {"error": f'expected {{"layer": SLUG, "units": [1 to {UNITS} numbers]}}'})
        elif (wrong := self.server.check(*order)) is not None:
            self._say(HTTPStatus.BAD_REQUEST, {"error": wrong})
        elif (job := self.server.jobs.ask(*order[0])) is None:
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "too many jobs wait; ask again later"})
        else:
            self._say(HTTPStatus.ACCEPTED, {"job": job.id})

    def _is_stranger(self) -> bool:
        """Refuse who was sent here under another name, as a page of another site does."""
        if self.headers.get("Host") in self.server.names:
            return False
        self._say(HTTPStatus.MISDIRECTED_REQUEST, {"error": "this server has another name"})
        return True

    def _say(self, status: HTTPStatus, value: dict[str, Any]) -> None:
        self._answer(status, json.dumps(value).encode(), "application/json")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the terminal belongs to the build."""


def content(root: Path, path: str) -> tuple[bytes, str] | None:
    """The bytes and the type of a file of the site; None for whatever else is asked for."""
    parts = path.removeprefix("/").split("/")
    if parts == [""]:
        parts = ["index.html"]
    if any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
        return None
    file = SERVED / SCRIPT if parts == [SCRIPT] else root.joinpath(*parts)
    kind = _TYPES.get(file.suffix)
    try:
        inside = file.resolve().is_relative_to(SERVED if parts == [SCRIPT] else root)
        if kind is None or not inside or not file.is_file():
            return None
        body = file.read_bytes()
    except (OSError, ValueError):
        return None
    return (asking(body) if parts == ["index.html"] else body), kind


def asking(page: bytes) -> bytes:
    """Let the page ask its own server for icons."""
    allowed = page.replace(b"connect-src 'none'", b"connect-src 'self'")
    return allowed.replace(b"</body>", f'<script src="{SCRIPT}"></script>\n</body>'.encode())


def understood(body: bytes) -> tuple[Asked, str | None] | None:
    """Read an order: the layer's name in the site, its units, what is to be rendered of them if not icons, of which
    picture, and the preset if one is named.
    """  # noqa: D205
    try:
        order = json.loads(body)
        layer, kind, picture = order["layer"], order.get("kind", ICONS), order.get("picture", "")
        preset = order.get("preset")
        units = [order["unit"]] if "unit" in order else order["units"] if kind == ICONS else order.get("units", [])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not all(isinstance(text, str) for text in (layer, kind, picture)) or not isinstance(preset, str | None):
        return None
    if not isinstance(units, list) or any(type(unit) is not int or unit < 0 for unit in units):
        return None
    if not (1 <= len(units) <= UNITS if kind == ICONS else kind in KINDS and len(units) <= 1):
        return None
    return Asked(layer, tuple(units), kind, picture), preset


def is_local(host: str) -> bool:
    """Tell whether no other machine reaches an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def check_host(host: str) -> None:
    """Refuse an address that other machines reach.

    Raises:
        UsageError: it is one.
    """
    if not is_local(host):
        raise UsageError(
            f"--host {host}: other machines would reach it, and the server renders for whoever asks; expected "
            "127.0.0.1, ::1 or localhost (forward the port with ssh -L to look at it from elsewhere)"
        )


def _family(host: str) -> Any:
    import socket

    return socket.AF_INET6 if ":" in host else socket.AF_INET


def checker(work: Work) -> Check:
    """Say what is wrong with an order for something of a site."""

    def check(asked: Asked, preset: str | None) -> str | None:
        if asked.kind != ICONS:
            return work.wishes.wrong(_wish(asked))
        if asked.layer not in work.slugs.values():
            return "there is no such layer"
        if preset not in (None, work.preset):
            return f"the icons here are of the preset {work.preset}; build the site again with --preset {preset}"
        count = work.units_of(work.layer_named(asked.layer)).get("units", 0)
        return f"the layer has the units 0 to {count - 1}" if max(asked.units) >= count else None

    return check


def renderer(work: Work) -> Render:
    """Render icons, dreams and variants into a site; the model is looked through when the first are asked for."""
    held: list[Any] = []

    def render(asked: Asked, told: Callable[[int, int], None]) -> int:
        if asked.kind != ICONS:
            work.wishes.grant(_wish(asked), told)
            work.wishes.write()
            return 1
        if not held:
            held.append(work.icons())
        return work.render(held[0], work.layer_named(asked.layer), asked.units, told)

    return render


def _wish(asked: Asked) -> Wish:
    kind: Kind = asked.kind  # type: ignore[assignment]
    return Wish(kind, asked.layer, asked.picture, asked.units[0] if asked.units else -1)


def serve(work: Work, *, host: str = "127.0.0.1", port: int = 0, ready: Callable[[str], None] | None = None) -> None:
    """Serve a site until interrupted.

    Args:
        work: the site, built.
        host: an address of this machine that no other reaches.
        port: 0 for any that is free.
        ready: called with the address once the server listens.

    Raises:
        UsageError: other machines reach that address.
        LimitError: the port is taken.
        KeyboardInterrupt: the user has stopped it, and everything is put away.
    """
    jobs = Jobs(renderer(work))
    try:
        with Server(work.folder.root, jobs, checker(work), host, port) as server:
            if ready is not None:
                ready(server.url)
            server.serve_forever(poll_interval=0.2)
    finally:
        jobs.stop()

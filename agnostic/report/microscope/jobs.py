"""Rendering on demand: a bounded queue of jobs and one worker that does them in their order."""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from agnostic.errors import AgnosticError

State = Literal["queued", "running", "done", "failed"]
#: Jobs that may wait at once, and jobs that are remembered.
WAITING, REMEMBERED = 16, 64
#: Units of one job.
UNITS = 32
Told = Callable[[int, int], None]
ICONS = "icons"


class Asked(NamedTuple):
    """What somebody asks for.

    Attributes:
        layer: the layer's name in the site.
        units: the units, or the number that a rendering has beside its layer; empty where it has none.
        kind: icons, or what else is rendered.
        picture: of which picture; empty where it is of none.
    """

    layer: str
    units: tuple[int, ...] = ()
    kind: str = ICONS
    picture: str = ""


#: Renders what is asked for, telling how far it is.
Render = Callable[[Asked, Told], int]


@dataclass
class Job:
    """Something that somebody asked for.

    Attributes:
        id: its number.
        layer, units, kind, picture: what, see `Asked`.
        state: how far it is.
        done, total: units rendered and asked for, or steps.
        error: why it failed.
    """

    id: int
    layer: str
    units: tuple[int, ...]
    kind: str = ICONS
    picture: str = ""
    state: State = "queued"
    done: int = 0
    total: int = 0
    error: str = ""


class Jobs:
    """The queue and its worker."""

    def __init__(self, render: Render) -> None:
        """Start the worker."""
        self._render = render
        self._waiting: queue.Queue[Job | None] = queue.Queue(WAITING)
        self._all: dict[int, Job] = {}
        self._next = 1
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._worker = threading.Thread(target=self._work, name="agnostic-icons", daemon=True)
        self._worker.start()

    def ask(self, layer: str, units: Sequence[int], kind: str = ICONS, picture: str = "") -> Job | None:
        """Put a job into the queue, or find the one that is there already; None where the queue is full."""
        with self._lock:
            asked = Asked(layer, tuple(dict.fromkeys(units)), kind, picture)
            for job in self._all.values():
                if _of(job) == asked and job.state in ("queued", "running"):
                    return job
            job = Job(self._next, *asked, total=len(asked.units))
            try:
                self._waiting.put_nowait(job)
            except queue.Full:
                return None
            self._next += 1
            self._all[job.id] = job
            for old in sorted(self._all)[:-REMEMBERED]:
                if self._all[old].state in ("done", "failed"):
                    del self._all[old]
            return job

    def list(self) -> list[dict[str, Any]]:
        """Every job that is remembered, the oldest first."""
        with self._lock:
            return [asdict(self._all[number]) for number in sorted(self._all)]

    def stop(self, seconds: float = 10.0) -> None:
        """End the worker at its next step, and forget what waits."""
        self._stopping.set()
        self._worker.join(seconds)

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                job = self._waiting.get(timeout=0.2)
            except queue.Empty:
                continue
            if job is not None:
                self._do(job)

    def _do(self, job: Job) -> None:
        def told(done: int, total: int) -> None:
            job.done, job.total = (min(done, job.total), job.total) if job.kind == ICONS else (done, total)
            if self._stopping.is_set():
                raise KeyboardInterrupt

        job.state = "running"
        try:
            self._render(_of(job), told)
            job.state, job.done = "done", job.total
        except AgnosticError as error:
            job.state, job.error = "failed", str(error)
        except KeyboardInterrupt:
            job.state, job.error = "failed", "the server was stopped"
        except Exception as error:
            # The queue outlives whatever a job stumbles over.
            job.state, job.error = "failed", f"unexpected {type(error).__name__}"


def _of(job: Job) -> Asked:
    return Asked(job.layer, job.units, job.kind, job.picture)

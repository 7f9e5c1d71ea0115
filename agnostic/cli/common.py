"""What the commands share: consoles, JSON, progress, limits, and the options that say how a model is opened."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args, get_origin

from rich.console import Console
from rich.table import Table

from agnostic.errors import UsageError

if TYPE_CHECKING:
    from agnostic.methods.registry import Option

GRACE_SECONDS = 2.0


class Progress(Protocol):
    """A progress bar: told what is done, of how much, and a word on how it goes."""

    def __call__(self, done: int, total: int, said: str = "", /) -> None:
        """Move the bar."""


def stdout() -> Console:
    """The console for what was asked for; wide when it goes to a file, so that no name is cut."""
    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 160)


def note(text: str, quiet: bool = False) -> None:
    """Print a line on stderr."""
    if not quiet:
        print(f"note: {text}", file=sys.stderr)


def announce(model: str, quiet: bool) -> None:
    """Say, before it takes its time, that a model of another framework is converted on the way."""
    from agnostic.converters.converting import awaits_conversion

    if framework := awaits_conversion(Path(model)):
        note(f"{model} is a {framework} model: it is converted first, and kept for the next time", quiet)


def print_json(value: Any) -> None:
    """Print one JSON object on stdout; NaN and infinity, which JSON lacks, are refused."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False))


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """A table without boxes: a quiet header over aligned columns."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def opening(**values: Any) -> dict[str, Any]:
    """Turn command-line options into the keyword arguments of `agnostic.load`."""
    flags = {name: values.pop(name) for name in ("channels", "layout", "scale", "resize")}
    flags |= {name: _numbers(name, values.pop(name)) for name in ("mean", "std", "size")}
    given = {name: value for name, value in flags.items() if value is not None}
    if values.get("device", "auto") not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device {values['device']!r}: expected auto, cpu or cuda")
    return {**values, "preprocess": given or None}


def _numbers(name: str, text: str | None) -> list[float] | list[int] | None:
    if text is None:
        return None
    try:
        numbers = [float(item) for item in text.replace("x", ",").split(",")]
    except ValueError:
        raise UsageError(f"--{name} {text!r}: expected numbers with commas between them") from None
    return [int(item) for item in numbers] if name == "size" else numbers


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str], Progress]]:
    """Give a maker of progress bars, drawn only on a terminal: `make(title)(done, total)`."""
    if quiet or not sys.stderr.isatty():
        yield lambda _title: _no_progress
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:

        def make(title: str) -> Progress:
            task = bars.add_task(title, total=None)

            def told(done: int, total: int, said: str = "") -> None:
                words = f"{title}  {said}" if said else title
                bars.update(task, description=words, completed=done, total=total, visible=done < total)

            return told

        yield make


def _no_progress(_done: int, _total: int, _said: str = "") -> None:
    """Draw nothing."""


@contextmanager
def limits(timeout: float | None, max_memory: int | None, grace: float = GRACE_SECONDS) -> Iterator[None]:
    """Bound a command's time and memory, also where it is stuck in code that cannot be told to stop.

    Args:
        timeout: seconds.
        max_memory: megabytes.
        grace: seconds that a command has to write what it has when its time is up.
    """
    from agnostic.engine.limits import memory_limit, time_limit
    from agnostic.engine.runtime import cuda_devices

    # CUDA maps far more address space than it uses, so a cap would break it.
    capped = max_memory is not None or cuda_devices() == 0
    memory = memory_limit(None if max_memory is None else max_memory << 20) if capped else nullcontext()
    watchdog = threading.Timer((timeout or 0) + grace, _give_up, args=(timeout,))
    watchdog.daemon = True
    if timeout is not None:
        watchdog.start()
    try:
        with memory, time_limit(timeout):
            yield
    finally:
        watchdog.cancel()


def _give_up(timeout: float) -> None:
    print(
        f"agnostic: stopped after {timeout:g} s: the time limit was hit; give more with --timeout SECONDS",
        file=sys.stderr,
    )
    sys.stderr.flush()
    os._exit(5)


def output_folder(path: Path) -> Path:
    """Make the folder that results go to, before any work is done.

    Raises:
        LimitError: it cannot be made or written to.
    """
    from agnostic.errors import LimitError

    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".agnostic-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise LimitError(f"--out {path}: cannot write there: {error.strerror}; choose another folder") from error
    return path


def option_rows(options: "Sequence[Option]") -> Table:
    """Lay out options: how each is typed, what it may be, its default, what it does."""
    rows = table("option", "values", "default", "")
    for option in options:
        flag = f"--{option.name.replace('_', '-')}"
        rows.add_row(flag, plain(values_of(option.annotation)), plain(str(option.default)), option.help)
    return rows


def option_mapping(options: "Sequence[Option]") -> list[dict[str, Any]]:
    """Describe options in plain JSON values."""
    return [
        {"name": item.name, "values": values_of(item.annotation), "default": item.default, "help": item.help}
        for item in options
    ]


def values_of(annotation: Any) -> str:
    """Write a type as a person reads it: int, 'a|b', int,int,..."""
    if get_origin(annotation) is tuple:
        return f"{get_args(annotation)[0].__name__},..."
    if get_origin(annotation) is Mapping:
        return "FILE"
    if get_args(annotation):
        return "|".join(item if isinstance(item, str) else values_of(item) for item in get_args(annotation))
    return "none" if annotation is type(None) else str(getattr(annotation, "__name__", annotation))


def plain(text: str) -> Any:
    """Text as it is: brackets in names are no markup, and what would steer a terminal is shown as a question mark."""
    from rich.text import Text

    return Text("".join(letter if letter.isprintable() else "?" for letter in text))

"""Runs a conversion in a process of its own, under a limit of time and memory."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from agnostic import errors
from agnostic.converters import handover, worker
from agnostic.converters.drafting import is_code
from agnostic.converters.handover import Draft, Job
from agnostic.errors import ConversionError, LimitError

SECONDS = 900.0
_TAIL = 2000
# No chatter, no devices, no network.
_SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3", "PYTHONWARNINGS": "ignore"}
_SETTINGS |= {"CUDA_VISIBLE_DEVICES": "-1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def run(job: Job, python: Path | None = None, seconds: float = SECONDS) -> Draft:
    """Convert in another process and read what came of it.

    Args:
        job: what is to be converted.
        python: the interpreter of a private environment; this one's by default.
        seconds: after which the process, and whatever it started, is ended.

    Raises:
        ConversionError: the source cannot be converted, or the process died of it.
        LimitError: time or memory ran out.
    """
    with tempfile.TemporaryDirectory(prefix="agnostic-") as name:
        folder = Path(name)
        handover.write_job(folder, job)
        # Frameworks leave files where they stand; code of the user's own may look for its files there.
        status = _run(_command(python, folder), folder, seconds, Path.cwd() if is_code(job.source) else folder)
        draft = handover.read_draft(folder)
        if draft is None:
            raise _error(folder, status, job)
        return draft


def _command(python: Path | None, folder: Path) -> list[str]:
    script = os.path.abspath(worker.__file__)  # noqa: PTH100 - a link must not be followed
    # A private environment is alone (-I); this one keeps the user's own packages and path.
    return [str(python or sys.executable), "-I" if python else "-P", script, str(folder)]


def _run(command: list[str], folder: Path, seconds: float, standing: Path) -> int:
    environment = {**os.environ, **_SETTINGS}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=standing, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise LimitError(f"the conversion took longer than {seconds:g} s; give more with --timeout") from None
        finally:
            end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and whatever it started, if it still runs."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()
    else:
        import signal

        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _error(folder: Path, status: int, job: Job) -> errors.AgnosticError:
    """Turn what a process left behind into the exception that it is."""
    if found := handover.read_error(folder):
        kind: type[errors.AgnosticError] = getattr(errors, found[0], ConversionError)
        return kind(found[1])
    log = (folder / "log").read_bytes()[-_TAIL:].decode("utf-8", "replace").strip().splitlines()
    last = f": {log[-1].strip()[:200]}" if log else ""
    if "MemoryError" in last or "bad_alloc" in last:
        return LimitError(f"the conversion needs more memory than it may take{last}; give more with --max-memory")
    ending = f"signal {-status}" if status < 0 else f"status {status}"
    return ConversionError(
        f"converting {Path(job.source).name} ended with {ending}{last}; the file is probably damaged, or made by "
        "another version"
    )

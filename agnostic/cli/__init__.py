"""The command line: parse, call, print. Every error is one line; a traceback only with --debug.

Exit status: 0 done, 1 finished with failed items, 2 usage, 3 model refused, 4 input invalid, 5 a limit was hit,
130 interrupted.
"""

import sys
import traceback
from collections.abc import Sequence

from agnostic.errors import AgnosticError, LimitError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status."""
    raise SystemExit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    from agnostic.cli import conversion, data_sets, learned, training_commands  # noqa: F401  (they add their commands)
    from agnostic.cli.app import app
    from agnostic.cli.typed import remember

    debug = "--debug" in arguments
    remember(arguments)
    try:
        status = app([item for item in arguments if item != "--debug"], standalone_mode=False)
        return status if isinstance(status, int) else 0
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    except BrokenPipeError:
        # The reader of a pipe has gone, as `| head` does: nothing is left to say.
        sys.stdout = None
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _status(error)


def _status(error: Exception) -> int:
    if isinstance(error, AgnosticError):
        return _say(str(error), error.exit_status)
    if isinstance(error, MemoryError):
        return _say("there is not enough memory; try --batch-size 1", LimitError.exit_status)
    if hasattr(error, "format_message") or hasattr(error, "exit_code"):
        message = getattr(error, "format_message", lambda: "")()
        return _say(message, int(getattr(error, "exit_code", 1)))
    return _say(f"unexpected {type(error).__name__}: {_line(error)}; run again with --debug and report it", 1)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]


def _say(message: str, status: int) -> int:
    if message:
        print(f"agnostic: {' '.join(message.split())}", file=sys.stderr)
    return status

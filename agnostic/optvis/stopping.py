"""What ends work early without being an error: the user's interrupt, and the end of the time."""

from agnostic.engine.limits import current
from agnostic.errors import LimitError
from agnostic.optvis.rendering import Stopped

#: What may be raised then.
STOPS = (KeyboardInterrupt, LimitError)


def reason(raised: BaseException) -> Stopped:
    """Say what ended the work; a limit other than that on time is raised again."""
    if isinstance(raised, KeyboardInterrupt):
        return "interrupt"
    if (deadline := current()) is None or deadline.remaining > 0:
        raise raised
    return "time"

"""One file per method. Importing this package registers them all.

To add one: write `methods/<name>.py` with a function under `@method`, and import it below.
"""

from agnostic.methods import (
    ablationcam,
    bidirectional_transformer,
    cam,
    eigencam,
    generic_attention,
    kernelshap,
    lime,
    occlusion,
    rise,
    rollout,
    saliency,
    scorecam,
    tam,
)
from agnostic.methods.registry import Attribution, Availability, Method, Task, all_methods, availability, get

__all__ = [
    "Attribution",
    "Availability",
    "Method",
    "Task",
    "ablationcam",
    "all_methods",
    "availability",
    "bidirectional_transformer",
    "cam",
    "eigencam",
    "generic_attention",
    "get",
    "kernelshap",
    "lime",
    "occlusion",
    "rise",
    "rollout",
    "saliency",
    "scorecam",
    "tam",
]

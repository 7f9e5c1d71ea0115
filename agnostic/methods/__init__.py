"""One file per method. Importing this package registers them all.

To add one: write `methods/<name>.py` with a function under `@method`, and import it below.
"""

from agnostic.methods import ablationcam, cam, eigencam, kernelshap, lime, occlusion, rise, saliency, scorecam
from agnostic.methods.registry import Attribution, Availability, Method, Task, all_methods, availability, get

__all__ = [
    "Attribution",
    "Availability",
    "Method",
    "Task",
    "ablationcam",
    "all_methods",
    "availability",
    "cam",
    "eigencam",
    "get",
    "kernelshap",
    "lime",
    "occlusion",
    "rise",
    "scorecam",
]

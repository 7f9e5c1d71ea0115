"""One file per method. Importing this package registers them all.

To add one: write `methods/<name>.py` with a function under `@method`, and import it below.
"""

from agnostic.methods.registry import Attribution, Availability, Method, Task, all_methods, availability, get

__all__ = ["Attribution", "Availability", "Method", "Task", "all_methods", "availability", "get"]

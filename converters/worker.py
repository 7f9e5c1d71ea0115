"""The process that converts one file: `python worker.py FOLDER`, where FOLDER holds a job (see `handover`).

It runs with the interpreter of a private environment, in which this package is not installed: the package is found from
where this file lies, and nothing beside it is made importable.
"""

import importlib.util
import sys
from pathlib import Path


def _find_package() -> None:
    """Make `agnostic` importable from this file's place, whatever else lies there."""
    import os

    # Not resolved: the room may be a link into the package.
    folder = Path(os.path.abspath(__file__)).parent.parent  # noqa: PTH100
    folder = folder if (folder / "errors.py").is_file() else folder / "agnostic"
    spec = importlib.util.spec_from_file_location(
        "agnostic", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no package in {folder}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["agnostic"] = module
    spec.loader.exec_module(module)


def _limit(memory: int | None) -> None:
    if memory is not None and sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def main(folder: Path) -> None:
    """Do the job in a folder and write what came of it there."""
    _find_package()
    from agnostic.converters import handover
    from agnostic.converters.drafting import draft, is_code
    from agnostic.errors import AgnosticError

    job = handover.read_job(folder)
    _limit(job.memory)
    source = job.source if is_code(job.source) else Path(job.source)
    try:
        handover.write_draft(folder, draft(job.framework, source, job.request, job.seed))
    except AgnosticError as error:
        handover.write_error(folder, type(error).__name__, str(error))
    except MemoryError:
        handover.write_error(folder, "LimitError", "the conversion needs more memory than it may take")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

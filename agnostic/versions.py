"""The versions of what results depend on."""

import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata


@cache
def versions(*more: str) -> Mapping[str, str]:
    """The versions that results depend on; name further packages, such as torch, where these take part."""
    found = {"python": platform.python_version()}
    for package in ("agnostic-xai", "numpy", "numba", "onnx", "onnxruntime-gpu", "onnxruntime", *more):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found

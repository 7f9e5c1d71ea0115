"""Whether path attributions add up to the rise of the score, at every map layer of SqueezeNet on the shipped pictures.

    python tests/benchmarks/completeness.py [PICTURE ...]

Prints one line a layer and picture; exits with 1 where one is off by more than a hundredth. `make test` asks the same
of a few layers.
"""

import sys
import time

import agnostic
from agnostic import models
from agnostic.blocks import as_sample, attribute
from agnostic.blocks.groups import top_class

WRONG = 1e-2


def main() -> int:
    """Check the given pictures, or all of them."""
    model = agnostic.load("squeezenet", device="cpu")
    off = 0
    for name in sys.argv[1:] or models.pictures():
        sample = as_sample(model, models.picture(name))
        target = top_class(model, sample)
        for layer in model.layers:
            if layer.kind == "map":
                started = time.perf_counter()
                (found,) = attribute(model, sample, layer.name, [target], tolerance=WRONG / 2)
                error, seconds = abs(found.completeness - 1), time.perf_counter() - started
                off += not error < WRONG
                print(
                    f"{name:16} {layer.name:24} {error:.1e} {found.evaluations:4} points {seconds:6.1f} s", flush=True
                )
    print(f"{off} off by more than {WRONG:g}")
    return int(off > 0)


if __name__ == "__main__":
    sys.exit(main())

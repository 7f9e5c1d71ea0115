"""Peak memory of RISE above the loaded model, in a process of its own (Linux).

The model counts as loaded once it has answered for one picture. Run ``python memory.py agnostic squeezenet 5000 8``:
package, model, masks, gigabytes of address space at most.
"""

import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np


def peak(package: str, model: str, masks: int, cap_gigabytes: int = 8) -> float | None:
    """Megabytes of a RISE run above the loaded model; None where it needs more address space than the cap."""
    command = [sys.executable, __file__, package, model, str(masks), str(cap_gigabytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return None if "MemoryError" in done.stderr or "bad_alloc" in done.stderr else _failed(done.stderr)
    return float(done.stdout.split()[-1])


def _failed(said: str) -> None:
    raise RuntimeError(f"the memory run failed: {said.strip().splitlines()[-1]}")


def main() -> None:
    """Load, set the high-water mark back, explain, and print by how many megabytes it rose."""
    package, model, masks, cap = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    resource.setrlimit(resource.RLIMIT_AS, (cap << 30, cap << 30))
    warnings.simplefilter("ignore")
    explain = {"agnostic": _agnostic, "dianna": _dianna}[package](model, masks)
    loaded = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from here
    explain()
    print((_status("VmHWM") - loaded) / 1024)


def _agnostic(name: str, masks: int) -> Callable[[], object]:
    import agnostic
    from agnostic import models

    model, picture = models.load(name), models.picture("cat_and_coffee")
    model.run(np.zeros((1, 3, 224, 224), np.float32), (model.scores_tensor,))
    return lambda: agnostic.explain(model, picture, "rise", "tabby", masks=masks)


def _dianna(name: str, masks: int) -> Callable[[], object]:
    from dianna import explain_image
    from dianna.utils.onnx_runner import SimpleModelRunner

    from agnostic import models

    path, x = str(models.path(name)), np.zeros((3, 224, 224), np.float32)
    SimpleModelRunner(path)(x[None])
    return lambda: explain_image(path, x, "RISE", [0], n_masks=masks, p_keep=0.5, axis_labels={0: "channels"})


def _status(field: str) -> int:
    """Kilobytes of this process, as the kernel counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    main()

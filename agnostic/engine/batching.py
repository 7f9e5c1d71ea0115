"""Batches through a graph that may not take them.

A batch axis fixed at 1 is freed by surgery where the graph allows it. What a file declares is not taken on trust:
exporters bake a 1 into a Reshape behind a symbolic axis. So the first batch is checked against single runs, and a
graph that fails the check is run row by row, which is slower and right.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from agnostic.converters import surgery
from agnostic.engine.limits import current
from agnostic.engine.runtime import Device, OutOfMemoryError, Runtime
from agnostic.engine.target import Array
from agnostic.errors import AgnosticError, InputError, ModelError


def leading_axis(value: onnx.ValueInfoProto) -> int | str | None:
    """The first axis of a graph input: a size, a symbol ('' when unnamed), or None for a scalar."""
    shape = value.type.tensor_type.shape
    if not shape.dim:
        return None
    first = shape.dim[0]
    size: int | str = first.dim_value if first.HasField("dim_value") else first.dim_param
    return size


class BatchRunner:
    """Run any number of rows, by whatever batches the graph really takes."""

    def __init__(self, proto: onnx.ModelProto, device: Device = "auto") -> None:
        """Take a graph; its batch axis is that of its first input."""
        weights = {item.name for item in proto.graph.initializer}
        inputs = [value for value in proto.graph.input if value.name not in weights]
        first = leading_axis(inputs[0])
        self.declared = first if isinstance(first, int) and first > 0 else None
        self.batched_inputs = frozenset(
            value.name for value in inputs if leading_axis(value) == first or isinstance(leading_axis(value), str)
        )
        self.inputs = frozenset(value.name for value in inputs)
        self._as_given = Runtime(proto, device)
        freed = surgery.free_batch(proto) if self.declared is not None else None
        self._free = Runtime(freed, device) if freed is not None else self._as_given
        self._verdicts: dict[tuple[str, ...], bool] = {}
        self.rows_run = 0

    @property
    def provider(self) -> str:
        """The execution provider in use."""
        return self._as_given.provider

    @property
    def loops(self) -> bool:
        """Whether a batch was tried and had to be run row by row."""
        return False in self._verdicts.values()

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> dict[str, Array]:
        """Fetch `outputs` for every row of the feeds; arrays whose input has no batch axis go to every row."""
        names = tuple(outputs)
        rows = self._rows(feeds)
        self.rows_run += rows
        if rows == (self.declared or 1):
            return self._as_given.run(feeds, names) if self.declared else self._free.run(feeds, names)
        if rows == 1 and self.declared is None:
            return self._free.run(feeds, names)
        if self._batches(feeds, names, rows):
            return self._free.run(feeds, names)
        return self._row_by_row(feeds, names, rows)

    def _rows(self, feeds: Mapping[str, Array]) -> int:
        sizes = {len(value) for name, value in feeds.items() if name in self.batched_inputs and value.ndim}
        if len(sizes) > 1:
            raise InputError(
                f"the inputs have different batch sizes {sorted(sizes)}; give each the same number of rows"
            )
        return sizes.pop() if sizes else 1

    def _batches(self, feeds: Mapping[str, Array], names: tuple[str, ...], rows: int) -> bool:
        if names not in self._verdicts:
            impossible = self.declared is not None and self._free is self._as_given
            self._verdicts[names] = not impossible and self._agrees(feeds, names, rows)
        return self._verdicts[names]

    def _agrees(self, feeds: Mapping[str, Array], names: tuple[str, ...], rows: int) -> bool:
        """Compare the first and last row of a batch with the same rows run alone."""
        try:
            together = self._free.run(feeds, names)
        except OutOfMemoryError:
            raise
        except (InputError, ModelError):
            return False
        for row in (0, rows - 1):
            alone = self._row(feeds, names, row)
            if not all(_close(together[name], alone[name], row, rows) for name in names):
                return False
        return True

    def _row(self, feeds: Mapping[str, Array], names: tuple[str, ...], row: int) -> dict[str, Array]:
        """Run one row, repeated to the declared batch where that is fixed above one."""
        repeats = self.declared or 1
        single = {
            name: np.repeat(value[row : row + 1], repeats, axis=0) if name in self.batched_inputs else value
            for name, value in feeds.items()
        }
        fetched = self._as_given.run(single, names)
        return fetched if repeats == 1 else {name: value[:1] for name, value in fetched.items()}

    def _row_by_row(self, feeds: Mapping[str, Array], names: tuple[str, ...], rows: int) -> dict[str, Array]:
        collected: dict[str, list[Array]] = {name: [] for name in names}
        for row in range(rows):
            if (deadline := current()) is not None:
                deadline.check()
            for name, value in self._row(feeds, names, row).items():
                if value.ndim == 0:
                    raise AgnosticError(
                        f"output {name!r} is a scalar without a batch axis: it cannot be read row by row"
                    )
                collected[name].append(value)
        return {name: np.concatenate(values) for name, values in collected.items()}


def _close(together: Array, alone: Array, row: int, rows: int) -> bool:
    if together.shape[:1] != (rows,) or together.shape[1:] != alone.shape[1:]:
        return False
    if not np.issubdtype(alone.dtype, np.floating):
        return bool(np.array_equal(together[row : row + 1], alone))
    # Batched kernels sum in another order: float noise, far below what a mixed-up batch axis does.
    tolerance = 2e-2 if alone.dtype == np.float16 else 1e-3
    scale = float(np.nanmax(np.abs(alone), initial=0.0)) or 1.0
    return bool(np.allclose(together[row : row + 1], alone, rtol=0, atol=tolerance * scale, equal_nan=True))

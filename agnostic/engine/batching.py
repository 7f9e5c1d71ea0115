"""Batches through a graph that may not take them.

A batch axis fixed at 1 is freed by surgery where the graph allows it. What a file declares is not taken on trust:
exporters bake a 1 into a Reshape behind a symbolic axis. So the first batch is checked against single runs, and a
graph that fails the check is run row by row, which is slower and right.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx

from agnostic.converters import surgery
from agnostic.engine.limits import current
from agnostic.engine.runtime import Device, Runtime
from agnostic.engine.target import Array
from agnostic.errors import InputError, ModelError


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

    def __init__(
        self,
        proto: onnx.ModelProto,
        device: Device = "auto",
        batched_inputs: frozenset[str] | None = None,
        threads: int | None = None,
    ) -> None:
        """Take a graph.

        Args:
            proto: the graph.
            device: where it runs.
            batched_inputs: the inputs with a batch axis; by default those whose leading axis is free, or is that of
                the first input that has axes at all.
            threads: of the processor, as many as it has cores by default.
        """
        weights = {item.name for item in proto.graph.initializer}
        leading = {value.name: leading_axis(value) for value in proto.graph.input if value.name not in weights}
        first = next((size for size in leading.values() if size is not None), None)
        self.declared = first if isinstance(first, int) and first > 0 else None
        if batched_inputs is None:
            batched_inputs = frozenset(
                name for name, size in leading.items() if isinstance(size, str) or (size is not None and size == first)
            )
        self.batched_inputs = batched_inputs
        self.inputs = frozenset(leading)
        self._as_given = Runtime(proto, device, threads)
        freed = surgery.free_batch(proto) if self.declared is not None else None
        self._free = Runtime(freed, device, threads) if freed is not None else self._as_given
        self._verdicts: dict[tuple[str, ...], bool] = {}
        self.rows_run = 0
        self._counting = threading.Lock()

    @property
    def provider(self) -> str:
        """The execution provider in use."""
        return self._as_given.provider

    @property
    def freest(self) -> onnx.ModelProto:
        """The graph with its batch axis freed, where that could be done; else the graph as given."""
        return self._free.proto

    @property
    def takes_batches(self) -> bool:
        """Whether more than one row may be run at once, as far as is known."""
        return (self.declared is None or self._free is not self._as_given) and not self.loops

    @property
    def loops(self) -> bool:
        """Whether a batch was tried and had to be run row by row."""
        return False in self._verdicts.values()

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> dict[str, Array]:
        """Fetch `outputs` for every row of the feeds; arrays whose input has no batch axis go to every row.

        An answer without any axis counts as one row.
        """
        names = tuple(outputs)
        rows = self._rows(feeds)
        with self._counting:
            self.rows_run += rows
        if rows == (self.declared or 1):
            fetched = self._as_given.run(feeds, names)
        elif self._batches(feeds, names, rows):
            fetched = self._free.run(feeds, names)
        else:
            fetched = self._row_by_row(feeds, names, rows)
        return {name: np.atleast_1d(value) for name, value in fetched.items()}

    def each(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> Iterator[dict[str, Array]]:
        """Fetch `outputs` row by row, each as it comes: for what differs in shape from row to row."""
        for row in range(self._rows(feeds)):
            if (deadline := current()) is not None:
                deadline.check()
            self.rows_run += 1
            yield self._row(feeds, tuple(outputs), row)

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
        except (InputError, ModelError):
            # What does not run alone either is the input's fault; that is reported and no verdict on the graph.
            self._row(feeds, names, 0)
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
        return {name: np.atleast_1d(value)[: 1 if repeats > 1 else None] for name, value in fetched.items()}

    def _row_by_row(self, feeds: Mapping[str, Array], names: tuple[str, ...], rows: int) -> dict[str, Array]:
        collected: dict[str, list[Array]] = {name: [] for name in names}
        for row in range(rows):
            if (deadline := current()) is not None:
                deadline.check()
            for name, value in self._row(feeds, names, row).items():
                collected[name].append(value)
        return {name: np.concatenate(values) for name, values in collected.items()}


def _close(together: Array, alone: Array, row: int, rows: int) -> bool:
    if together.shape[:1] != (rows,) or together.shape[1:] != alone.shape[1:]:
        return False
    if not np.issubdtype(alone.dtype, np.floating):
        return bool(np.array_equal(together[row : row + 1], alone))
    # Batched kernels sum in another order: float noise, far below what a mixed-up batch axis does.
    tolerance = 2e-2 if alone.dtype == np.float16 else 1e-3
    scale = float(np.max(np.abs(alone[np.isfinite(alone)]), initial=0.0)) or 1.0
    return bool(np.allclose(together[row : row + 1], alone, rtol=0, atol=tolerance * scale, equal_nan=True))

"""Model: the one thing a user holds."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import import_module
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from agnostic.converters import surgery
from agnostic.converters.layers import Layer, find, layers
from agnostic.converters.loader import Loaded
from agnostic.engine.answer import Answer, Graph, answer_of
from agnostic.engine.autograd import Autograd, GradientOf, has_torch
from agnostic.engine.batching import BatchRunner
from agnostic.engine.facts import Facts
from agnostic.engine.naming import Names
from agnostic.engine.naming_heads import names_of
from agnostic.engine.runtime import Device
from agnostic.engine.signature import Tensor, fitted, repeated, stored_shape, tensor_of
from agnostic.engine.target import Array, Floats, Target
from agnostic.errors import AgnosticError, InputError, ItemError, ModelError, UsageError, unknown

if TYPE_CHECKING:
    from agnostic.engine.gradients import Parity
    from agnostic.methods import Availability

# Parts of the graph kept ready to run from a layer on; each holds sessions of its own.
KEPT_TAILS = 8


class Model:
    """An opened .onnx file: look at it, run it, run parts of it.

    Attributes:
        name: the file's stem, or the name of an embedded model.
        sha256: of the file.
        inputs, outputs: the graph's, weights left out.
        labels: class names, if declared.
        preprocess: how pictures become inputs, if declared.
        declared: what else the model says of its inputs and answers, section by section (see `engine.facts`).
        path: the file, where it came from one; files it refers to lie beside it.
        proto: the graph itself, with all weights inline.
    """

    def __init__(
        self, loaded: Loaded, facts: Facts, *, name: str, device: Device = "auto", raw_output: bool = False,
        straight_through: bool = False, allow_parity: bool = False,
    ) -> None:  # fmt: skip
        """Wrap a loaded file; `agnostic.load` is the way to get one."""
        self.proto = loaded.proto
        self.sha256 = loaded.sha256
        self.path = loaded.path
        self.name = name
        self.raw_output = raw_output
        self.straight_through = straight_through
        self.allow_parity = allow_parity
        weights = {item.name for item in self.proto.graph.initializer}
        self.inputs = tuple(tensor_of(value) for value in self.proto.graph.input if value.name not in weights)
        self.outputs = tuple(tensor_of(value) for value in self.proto.graph.output)
        self.labels = facts.labels
        self.preprocess = facts.preprocess
        self.declared = facts.sections
        self.device: Device = device
        self._runner = BatchRunner(self.proto, device)
        self._tails: dict[tuple[str, ...], BatchRunner] = {}
        self._more_rows = 0  # differentiated, or run by tails that are no longer kept

    def __repr__(self) -> str:
        """Name the model with its signature."""
        arrow = f"{', '.join(map(str, self.inputs))} -> {', '.join(map(str, self.outputs))}"
        return f"Model({self.name}: {arrow})"

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Every hidden tensor worth naming, in the order of the graph."""
        return layers(self.proto)

    def layer(self, name: str) -> Layer:
        """Find a layer by its tensor name.

        Raises:
            UsageError: there is none of that name; the nearest names are offered.
        """
        return find(self.layers, name)

    @cached_property
    def answer(self) -> Answer:
        """What kind of answer the model gives, and which outputs hold it.

        Raises:
            UsageError: what it declares makes no sense, or does not fit the graph.
        """
        graph = Graph(
            self.proto, self.outputs, self.labels, lambda name: any(item.name == name for item in self.layers)
        )
        return answer_of(self.declared.get("answer"), graph)

    @cached_property
    def class_output(self) -> Tensor:
        """The output that holds the class scores: what the answer's first head names, which may be a layer."""
        name = self.answer.heads[0].output
        return next((item for item in self.outputs if item.name == name), None) or self._layer_as_tensor(name)

    def _layer_as_tensor(self, name: str) -> Tensor:
        sizes = [size if size is not None else "?" for size in stored_shape(self.layer(name))]
        return Tensor(name, np.dtype(np.float32), ("n", *sizes))

    @cached_property
    def scores_tensor(self) -> str:
        """What is explained by default: the class scores before their softmax, where the graph has one."""
        return self.scores_of(self.class_output.name)

    def scores_of(self, output: str) -> str:
        """The scores behind an output: before its softmax or sigmoid, and before the choice of the highest."""
        if self.raw_output or self.answer.kind in ("boxes", "embedding"):
            return output
        if self.answer.kind == "segmentation":
            output = surgery.before_argmax(self.proto, output)
        return surgery.before_softmax(self.proto, output)

    @cached_property
    def names(self) -> Names:
        """The names that targets of this model are made of."""
        return names_of(self)

    def target(self, text: "str | int | np.integer[Any] | Target") -> Target:
        """Resolve `tabby`, `281`, `logits[281]`, `fire9/concat:12@7,7`, `tabby - espresso`.

        Raises:
            UsageError: the text names nothing in this model, or several things.
        """
        if isinstance(text, Target):
            return text
        if isinstance(text, str):
            return self.names.target(text)
        if isinstance(text, int | np.integer):
            return self.names.class_target(int(text))
        raise UsageError(f"the target {text!r} is a {type(text).__name__}; give a class name, a number or layer:unit")

    def feeds(self, x: Array | Mapping[str, Array]) -> dict[str, Array]:
        """Check and cast what a user gives to what the graph eats, input by input.

        Raises:
            InputError: an input is missing or unknown, or has the wrong number of axes or a wrong size.
        """
        given = dict(x) if isinstance(x, Mapping) else {self.inputs[0].name: x}
        stray = sorted(set(given) - {item.name for item in self.inputs})
        if stray:
            raise unknown("input", stray[0], [item.name for item in self.inputs])
        missing = [item for item in self.inputs if item.name not in given]
        if missing:
            raise InputError(f"the model also needs the input {missing[0]}; give it as {missing[0].name}=VALUE")
        holes = self.declared.get("table", {}).get("missing") is True
        return {item.name: fitted(item, given[item.name], missing=holes) for item in self.inputs}

    def run(self, x: Array | Mapping[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """Run the model on any number of rows.

        Args:
            x: the array of the first input, or one array per input by name, each (n, ...).
            outputs: any tensors of the graph by name, hidden ones included; the graph's outputs by default.

        Returns:
            The fetched arrays by name, each (n, ...).
        """
        wanted = tuple(outputs) if outputs is not None else tuple(item.name for item in self.outputs)
        return self._runner.run(self.feeds(x), wanted)

    def activations(self, x: Array | Mapping[str, Array], at: str) -> Array:
        """Run the model up to a layer: (n, ...) in the layer's own axis order.

        Raises:
            UsageError: there is no such layer; the nearest names are offered.
        """
        self.layer(at)
        return self._runner.run(self.feeds(x), (at,))[at]

    def run_from(
        self, at: str, a: Array, x: Array | Mapping[str, Array] | None = None, outputs: Sequence[str] | None = None
    ) -> dict[str, Array]:
        """Run the model from a layer on, with `a` (n, ...) standing in for it.

        Args:
            at: the layer.
            a: what the layer is to hold.
            x: the inputs, needed only where something bypasses the layer; one row serves all of `a`.
            outputs: tensors behind the layer to fetch; by default the graph's outputs that depend on it.

        Raises:
            UsageError: there is no such layer, or what is to be fetched does not depend on it.
            InputError: `a` does not fit, or a path around the layer needs the inputs and they were not given.
        """
        self.layer(at)
        tail = self._tail(at, tuple(outputs) if outputs is not None else None)
        shown = [item.name for item in tail.freest.graph.output]
        wanted = tuple(outputs) if outputs is not None else tuple(i.name for i in self.outputs if i.name in shown)
        if stray := sorted(set(wanted) - set(shown)):
            raise UsageError(f"{stray[0]!r} does not depend on {at!r}; choose a tensor on the way from it")
        feeds = {at: fitted(tensor_of(tail.freest.graph.input[0]), a)}
        around = tail.inputs - {at}
        if around and x is None:
            raise InputError(f"a path around {at!r} needs the input {sorted(around)[0]!r}: give x as well")
        if around and x is not None:
            rows = len(feeds[at])
            feeds |= {
                name: repeated(value, rows) if name in self.batched_inputs else value
                for name, value in self.feeds(x).items()
                if name in around
            }
        return tail.run(feeds, wanted)

    def gradient(
        self,
        x: Array | Mapping[str, Array],
        target: "str | int | Target | Sequence[str | int | Target]",
        at: str | None = None,
        *,
        of: GradientOf = "logit",
        batch_size: int | None = None,
    ) -> npt.NDArray[np.float32]:
        """Differentiate a target by any tensor, on the torch re-import of the graph.

        Args:
            x: the array of the first input, or one array per input by name, each (n, ...).
            target: what is differentiated; a list differentiates several in the same pass.
            at: by what: an input or a hidden tensor; the first floating input by default.
            of: the target's logit, its probability, or its cross-entropy loss.
            batch_size: rows per pass.

        Returns:
            (n, ...) like the tensor, in its own axis order; (targets, n, ...) for a list of targets.

        Raises:
            UsageError: torch is not installed.
            ModelError: there is no gradient, or the re-imported graph is not the same model.
        """
        from agnostic.engine.gradients import gradient_of_rows

        several = isinstance(target, Sequence) and not isinstance(target, str)
        wanted = list(target) if isinstance(target, Sequence) and not isinstance(target, str) else [target]
        targets = tuple(self.target(item) for item in wanted)
        found = gradient_of_rows(self, self.feeds(x), targets, at or self._floating_input(), of, batch_size)
        return found if several else found[0]

    def parity(self, x: Array | Mapping[str, Array]) -> "Parity":
        """Compare the torch re-import with onnxruntime on this input."""
        from agnostic.engine.gradients import parity

        return parity(self, x)

    def side_by_side(self, threads: int) -> BatchRunner:
        """A runner of the same graph for callers that run batches of their own from several threads at once.

        Several runs of few threads each waste less than one of many: their parts need not wait for each other.

        Args:
            threads: of the processor, for each run.
        """
        return BatchRunner(self.proto, self.device, self.batched_inputs, threads)

    @cached_property
    def autograd(self) -> Autograd:
        """The re-imported graph that answers with gradients."""
        return Autograd(self._runner.freest, straight_through=self.straight_through)

    @property
    def no_gradient(self) -> str | None:
        """Why this model has no gradient; None when it has."""
        if not has_torch():
            return "needs torch: pip install 'agnostic-xai[grad]'"
        try:
            _ = self.autograd.module
        except AgnosticError as error:
            return str(error)
        return None

    def count_rows(self, rows: int) -> None:
        """Count rows that were run and differentiated."""
        self._more_rows += rows

    def _floating_input(self) -> str:
        floating = [item.name for item in self.inputs if np.issubdtype(item.dtype, np.floating)]
        if not floating:
            raise ModelError("no gradient here: every input holds integers; name a layer behind an embedding with at=")
        return floating[0]

    def score(self, x: Array | Mapping[str, Array], targets: Sequence[Target]) -> Floats:
        """Read targets off the model's answer: (n, targets) float64.

        Raises:
            ItemError: an answer is NaN or infinite.
        """
        return self.score_feeds(self.feeds(x), targets)

    def score_feeds(self, feeds: Mapping[str, Array], targets: Sequence[Target]) -> Floats:
        """Score what is known to be what the graph eats, input by input, as `feeds` returns it.

        Raises:
            ItemError: an answer is NaN or infinite.
        """
        tensors = tuple(dict.fromkeys(name for target in targets for name in target.tensors))
        apart = any(target.row_by_row for target in targets)
        runs = self._runner.each(feeds, tensors) if apart else [self._runner.run(feeds, tensors)]
        scores = [np.stack([target.read(values) for target in targets], axis=1) for values in runs]
        return checked(np.concatenate(scores), targets)

    def methods(self) -> tuple["Availability", ...]:
        """List what can run on this model, and why not the rest: rows with name, runs, reason."""
        # Methods stand above the engine; this face of theirs is found at call time so that nothing imports upwards.
        rows: tuple[Availability, ...] = import_module("agnostic.methods").availability(self)
        return rows

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about the file's own declarations, one line each."""
        count = self.names.class_count
        if not self.labels or count in (None, len(self.labels)):
            return self.answer.notes
        unused = f"the model declares {len(self.labels)} labels for {count} classes: they are not used"
        return (unused, *self.answer.notes)

    @cached_property
    def weight_count(self) -> int:
        """How many numbers the graph holds as weights."""
        return sum(prod(item.dims) for item in self.proto.graph.initializer)

    @property
    def provider(self) -> str:
        """The onnxruntime execution provider in use."""
        return self._runner.provider

    @property
    def batched_inputs(self) -> frozenset[str]:
        """The inputs with a batch axis; the others go unrepeated to every row."""
        return self._runner.batched_inputs

    @property
    def takes_batches(self) -> bool:
        """Whether more than one row may be run at once, as far as is known."""
        return self._runner.takes_batches

    @property
    def runs_row_by_row(self) -> bool:
        """Whether the graph turned out not to take batches."""
        return self._runner.loops

    @property
    def evaluations(self) -> int:
        """Rows run so far, partial runs included."""
        return self._more_rows + self._runner.rows_run + sum(tail.rows_run for tail in self._tails.values())

    def _tail(self, at: str, wanted: tuple[str, ...] | None) -> BatchRunner:
        """The part of the graph behind a layer, up to what is wanted, or to every output and the scores."""
        shown = wanted or tuple(dict.fromkeys((*(item.name for item in self.outputs), self.scores_tensor)))
        key = (at, *shown)
        if key not in self._tails:
            while len(self._tails) >= KEPT_TAILS:
                self._more_rows += self._tails.pop(next(iter(self._tails))).rows_run
            exposed = surgery.expose(self._runner.freest, [name for name in shown if name != at], only=True)
            tail = surgery.tail(exposed, at)
            self._tails[key] = BatchRunner(tail, self.device, self.batched_inputs | {at})
        return self._tails[key]


def checked(scores: Floats, targets: Sequence[Target]) -> Floats:
    """Refuse scores that cannot be explained.

    Raises:
        ItemError: a score is NaN or infinite.
    """
    if not np.isfinite(scores).all():
        column = int(np.flatnonzero(~np.isfinite(scores).all(axis=0))[0])
        kind = "NaN" if np.isnan(scores[:, column]).any() else "infinite"
        raise ItemError(
            f"the model's answer for {targets[column].name!r} is {kind} on this input: there is nothing to explain"
        )
    return scores

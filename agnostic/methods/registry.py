"""The registry of methods: a method is one decorated function, and its keyword arguments are its options.

::

    @method("occlusion", needs=("forward",), summary="...")
    def occlusion(task: Task, *, window: int = 0, stride: int = 0) -> Attribution: ...

A method is a pure function of a `Task` (model, sample, targets, seed) and its settings. It never prints, draws, or
opens a file. The task carries the ways to ask the model; the method says what to ask and how to fold the answers.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.autograd import GradientOf
from agnostic.engine.gradients import GradientBlock, Parity, Points, certified, gradient_sweep, random_parity
from agnostic.engine.model import Model
from agnostic.engine.sweep import Block, Perturbation, Progress, Rows, WriteRows, over_draws, sweep
from agnostic.engine.target import Floats, Target
from agnostic.errors import UsageError, unknown
from agnostic.inputs.features import Keep
from agnostic.inputs.sample import Sample

if TYPE_CHECKING:
    from agnostic.engine.backward import RuleName

Need = Literal["forward", "activations", "gradient", "attention"]
Seeds = np.random.Generator


class Attribution(NamedTuple):
    """What a method finds, for all targets at once.

    Attributes:
        values: (targets, *shape) float32 over the sample's positions.
        base_values: (targets,) the score the values start from; NaN where the method defines none.
        weights: (targets, features) float32 where the method scores features, else None.
        facts: one mapping of plain values per target: fit, samples, layer, ...
        detail: (targets, *shape of the tensor it was attributed to) float32, before channels were summed and the map
            was enlarged; None where values say all.
    """

    values: npt.NDArray[np.float32]
    base_values: Floats
    weights: npt.NDArray[np.float32] | None = None
    facts: Sequence[Mapping[str, Any]] = ()
    detail: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Task:
    """One question: why these scores of this model on this sample?

    Attributes:
        model: the model.
        sample: the input.
        targets: what is explained; all share the same forward passes.
        seed: of everything random.
        at: the layer to explain at, for methods that read activations; None for their default.
        batch_size: rows per run.
        progress: called with (done, total).
    """

    model: Model
    sample: Sample
    targets: tuple[Target, ...]
    seed: int = 0
    at: str | None = None
    batch_size: int | None = None
    progress: Progress | None = None

    def random(self) -> Seeds:
        """A fresh generator from the seed: the same numbers at every call."""
        return np.random.default_rng(self.seed)

    @cached_property
    def scores(self) -> Floats:
        """The targets on the untouched sample: (targets,) float64."""
        scores: Floats = self.model.score(self.sample.arrays, self.targets)[0]
        return scores

    @cached_property
    def base_scores(self) -> Floats:
        """The targets with every feature off: (targets,) float64."""
        keep = np.zeros((1, self.sample.features.count), np.bool_)
        # One pass beside the method's own is not worth a word to whoever watches the progress.
        scores: Floats = next(replace(self, progress=None).sweep_features(keep)).scores[0]
        return scores

    def sweep(self, count: int, write: WriteRows, boxes: Any = None) -> Iterator[Block]:
        """Score `count` changed inputs batch by batch; see `engine.sweep.sweep` and `engine.sweep.Perturbation`."""
        return sweep(
            self.model,
            self.sample.arrays,
            Perturbation(count, write, self.sample.features.inputs, boxes),
            self.targets,
            batch_size=self.batch_size,
            progress=self.progress,
        )

    def sweep_features(self, keep: Keep) -> Iterator[Block]:
        """Score inputs with features on or off: keep is (n, features) bool."""
        return self.sweep_patterns(len(keep), lambda start, stop: keep[start:stop])

    def sweep_patterns(self, count: int, pattern: Callable[[int, int], Keep]) -> Iterator[Block]:
        """Score patterns of features that are made when they are needed.

        Where there are several ways to be off, each pattern is run with each of them and gets the mean of their scores.

        Args:
            count: how many patterns.
            pattern: `pattern(start, stop)` gives (stop - start, features) bool, True where a feature stays; number i is
                the same whatever range it is asked for in.
        """
        features = self.sample.features
        draws = features.draws

        def write(start: int, stop: int, rows: Rows) -> None:
            first = start // draws
            numbers = np.arange(start, stop)
            keep = pattern(first, -(-stop // draws))[numbers // draws - first]
            features.blend(keep, rows, numbers % draws if draws > 1 else None)

        blocks = self.sweep(count * draws, write)
        return blocks if draws == 1 else over_draws(blocks, draws)

    @cached_property
    def parity(self) -> Parity:
        """How far the re-imported graph is from onnxruntime on this very input; see `engine.gradients.certified`."""
        return certified(self.model, self.sample.arrays, self.targets)

    @property
    def random_parity(self) -> Parity | None:
        """How far it is on a random input, once per model; see `engine.gradients.random_parity`."""
        return random_parity(self.model, self.sample.arrays)

    @property
    def source(self) -> str:
        """The tensor that is explained: the layer `at`, or the sample's own input."""
        return self.at or self.sample.source

    @cached_property
    def origin(self) -> npt.NDArray[np.float32]:
        """What that tensor holds on the sample, one row without the batch axis, in its own axis order, float32."""
        arrays = self.sample.arrays
        held = arrays[self.source] if self.at is None else self.model.activations(arrays, self.at)
        return np.ascontiguousarray(held[0], np.float32)

    def gradient_sweep(
        self,
        count: int,
        write: Callable[[int, int, npt.NDArray[np.float32]], None],
        *,
        also: Sequence[str] = (),
        of: GradientOf = "logit",
        rule: "RuleName" = "plain",
        before: int = 0,
    ) -> Iterator[GradientBlock]:
        """Differentiate the targets by `source` at `count` points, batch by batch.

        Args:
            count: how many points.
            write: `write(start, stop, out)` writes the values of `source` at points start..stop into `out`
                (stop - start, *origin.shape) float32.
            also: further tensors to differentiate by, in the same pass.
            of: logit, probability or loss.
            rule: how nonlinearities hand gradients back; see `engine.backward`.
            before: points of earlier sweeps, which the progress counts in.
        """
        _ = self.parity
        points = Points(self.source, count, self.origin.shape, write)
        return gradient_sweep(
            self.model,
            self.sample.arrays,
            points,
            self.targets,
            (self.source, *also),
            of=of,
            rule=rule,
            batch_size=self.batch_size,
            progress=self._continued(before),
        )

    def _continued(self, before: int) -> Progress | None:
        told = self.progress
        if told is None or not before:
            return told
        return lambda done, total: told(before + done, before + total)


Function = Callable[..., Attribution]


@dataclass(frozen=True)
class Option:
    """One keyword argument of a method: its name, default, type as written, and what it does."""

    name: str
    default: Any
    annotation: Any
    help: str


@dataclass(frozen=True)
class Method:
    """A registered method.

    Attributes:
        name: as typed.
        function: what runs.
        needs: what the model has to offer.
        summary: one line.
        needs_plane: whether it needs positions on a grid of two axes.
        check: says why a model cannot run it, or None when it can; None where the needs say all.
    """

    name: str
    function: Function
    needs: tuple[Need, ...]
    summary: str
    needs_plane: bool = False
    check: Callable[[Model], str | None] | None = None
    fill: str = "blur"
    options: tuple[Option, ...] = field(default=())

    def obstacle(self, model: Model) -> str | None:
        """Say why this method cannot run on a model; None when it can."""
        if "activations" in self.needs and all(layer.kind == "vector" for layer in model.layers):
            return "the model has no hidden layer that is a map"
        if "gradient" in self.needs and (reason := model.no_gradient):
            return reason
        return self.check(model) if self.check is not None else None

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Complete the given options with the defaults.

        Raises:
            UsageError: an option that this method does not have; the nearest are offered.
        """
        known = {option.name: option.default for option in self.options}
        stray = sorted(set(given) - set(known))
        if stray:
            raise unknown(f"option of {self.name}", stray[0], known, f"{self.name} has no options" if not known else "")
        return {**known, **given}


class Availability(NamedTuple):
    """Whether a method can run on a model, and why not."""

    name: str
    runs: bool
    reason: str


_METHODS: dict[str, Method] = {}


def method(
    name: str,
    *,
    needs: tuple[Need, ...],
    summary: str,
    needs_plane: bool = False,
    check: Callable[[Model], str | None] | None = None,
    fill: str = "blur",
) -> Callable[[Function], Function]:
    """Register a method under a name that is not taken."""

    def register(function: Function) -> Function:
        if name in _METHODS:
            raise ValueError(f"the method {name!r} is registered twice")
        options = options_of(function)
        _METHODS[name] = Method(name, function, needs, summary, needs_plane, check, fill, options)
        return function

    return register


def get(name: str) -> Method:
    """Look a method up.

    Raises:
        UsageError: there is none of that name; the nearest names are offered.
    """
    if name not in _METHODS:
        raise unknown("method", name, _METHODS)
    return _METHODS[name]


def all_methods() -> tuple[Method, ...]:
    """Every registered method, by name."""
    return tuple(_METHODS[name] for name in sorted(_METHODS))


def availability(model: Model) -> tuple[Availability, ...]:
    """List which methods can run on a model and, for each that cannot, why."""
    rows = [(item.name, item.obstacle(model)) for item in all_methods()]
    return tuple(Availability(name, reason is None, reason or "") for name, reason in rows)


def options_of(function: Callable[..., Any]) -> tuple[Option, ...]:
    """Read the options of a registered function off its keyword-only parameters and its docstring."""
    help_by_name = _argument_help(inspect.getdoc(function) or "")
    signature = inspect.signature(function, eval_str=True)
    keywords = [item for item in signature.parameters.values() if item.kind is inspect.Parameter.KEYWORD_ONLY]
    return tuple(Option(item.name, item.default, item.annotation, help_by_name.get(item.name, "")) for item in keywords)


def _argument_help(doc: str) -> dict[str, str]:
    """Read the `Args:` section of a docstring: name to text on one line."""
    found: dict[str, str] = {}
    name = None
    for line in doc.partition("Args:\n")[2].splitlines():
        if line and not line.startswith(" "):
            break
        entry = line.strip()
        if line.startswith("    ") and not line.startswith("     ") and ":" in entry:
            name, _, text = entry.partition(":")
            found[name] = text.strip()
        elif name is not None and entry:
            found[name] += f" {entry}"
    return found


def check_positive(**values: float) -> None:
    """Refuse settings that have to be above zero.

    Raises:
        UsageError: one is not.
    """
    for name, value in values.items():
        if not value > 0:
            raise UsageError(f"--{name.replace('_', '-')} {value:g}: expected a number above 0")

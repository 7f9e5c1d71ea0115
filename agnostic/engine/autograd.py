"""The only door to torch: value and gradient of targets by any tensor, with its certificate of parity.

Everything that crosses this door is NumPy. A second way to gradients (gradient nodes in the ONNX graph itself) would
stand beside this module under the same two functions, `Autograd.gradients` and `Autograd.forward`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx

from agnostic.converters.paths import reached_smoothly
from agnostic.engine.runtime import OutOfMemoryError
from agnostic.engine.target import Array, Floats, Maths, Projection, Target, Term
from agnostic.errors import AgnosticError, ModelError, UsageError, missing_extra

if TYPE_CHECKING:
    from torch import Tensor

    from agnostic.converters.torch_import import OnnxModule
    from agnostic.engine.backward import Rule, RuleName

GradientOf = Literal["logit", "probability", "loss"]
INSTEAD = "occlusion, lime, kernelshap and rise work on any model"


def has_torch() -> bool:
    """Whether torch can be imported."""
    try:
        return find_spec("torch") is not None
    except ImportError:
        return False


class Gradients(NamedTuple):
    """Targets and their gradients at some tensors, for n rows.

    Attributes:
        scores: (n, targets) float64, what was differentiated.
        values: by tensor name, (n, ...) float32, where it was differentiated.
        gradients: by tensor name, (targets, n, ...) float32.
    """

    scores: Floats
    values: Mapping[str, npt.NDArray[np.float32]]
    gradients: Mapping[str, npt.NDArray[np.float32]]


class Autograd:
    """A re-imported graph that answers with gradients."""

    def __init__(self, proto: onnx.ModelProto, *, straight_through: bool = False, double: bool = False) -> None:
        """Take a graph with inline weights; it is re-imported when first needed.

        Args:
            proto: the graph.
            straight_through: differentiate rounding as the identity; an estimate, which `surrogates` names.
            double: compute in float64.
        """
        self._proto, self._straight, self._double = proto, straight_through, double
        self._smooth: dict[str, frozenset[str]] = {}

    @cached_property
    def module(self) -> "OnnxModule":
        """The re-imported graph.

        Raises:
            UsageError: torch is not installed.
            ConversionError: an operator has no gradient or is not known; all of them are listed.
        """
        if not has_torch():
            raise missing_extra("torch", "grad", "a gradient")
        import torch

        from agnostic.converters.torch_import import to_torch

        dtype = torch.float64 if self._double else None
        module = to_torch(self._proto, dtype=dtype, straight_through=self._straight)
        return module.to("cuda") if torch.cuda.is_available() else module

    @cached_property
    def doubled(self) -> "Autograd":
        """The same graph, computed in float64."""
        return self if self._double else Autograd(self._proto, straight_through=self._straight, double=True)

    @property
    def surrogates(self) -> tuple[str, ...]:
        """The nodes whose gradient is an estimate."""
        return tuple(self.module.surrogates)

    def check_path(self, targets: Sequence[Target], at: Sequence[str]) -> None:
        """Refuse a target that does not depend smoothly on a tensor, for which a gradient would be a map of zeros.

        Raises:
            ModelError: every path between them ends in a step function, or there is none.
        """
        for source in at:
            if source not in self._smooth:
                self._smooth[source] = reached_smoothly(self._proto, source, straight_through=self._straight)
            for target in targets:
                if not self._smooth[source] & set(target.tensors):
                    raise ModelError(
                        f"no gradient here: {target.name!r} depends on {source!r} only through rounding, integers, "
                        f"comparisons or trees, or not at all; {INSTEAD}"
                    )

    def forward(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> dict[str, Array]:
        """Compute tensors by the re-imported graph, without gradients."""
        import torch

        with torch.no_grad(), torch_errors():
            fetched = self.module.run({name: self._tensor(value) for name, value in feeds.items()}, list(outputs))
        return {name: value.cpu().numpy() for name, value in fetched.items()}

    def gradients(
        self,
        feeds: Mapping[str, Array],
        targets: Sequence[Target],
        at: Sequence[str],
        *,
        values: Mapping[str, Array] | None = None,
        of: GradientOf = "logit",
        class_axis: int = 0,
        rule: "RuleName" = "plain",
    ) -> Gradients:
        """Differentiate targets by tensors, row by row of a batch.

        Args:
            feeds: the inputs by name, n rows each.
            targets: what is differentiated.
            at: by what; any floating tensors of the graph.
            values: what these tensors are to hold in place of what the graph computes, (n, ...) each.
            of: the score itself, its probability under a softmax over the classes, or its cross-entropy.
            class_axis: the axis of the classes, the batch axis not counted, for `of`.
            rule: how nonlinearities hand gradients back.

        Raises:
            ModelError: there is no gradient at a tensor.
            LimitError: a batch does not fit into memory.
        """
        import torch

        from agnostic.engine.backward import RULES

        self.check_path(targets, at)
        # What is given is a leaf from the start, so that nothing in front of it is computed.
        leaves = {name: self._tensor(value).requires_grad_() for name, value in (values or {}).items()}
        replace = {name: leaves.get(name, partial(_capture, leaves, name)) for name in at}
        tensors = list(dict.fromkeys(name for target in targets for name in target.tensors))
        with torch.enable_grad(), torch_errors():
            known = {name: self._tensor(value) for name, value in feeds.items()}
            fetched = self.module.run(known, tensors, replace, RULES[rule])
            scores = [_score(target, fetched, of, class_axis, RULES[rule]) for target in targets]
            found = [
                self._backward(score, leaves, at, keep=index + 1 < len(scores)) for index, score in enumerate(scores)
            ]
        stacked = {name: np.stack([row[position] for row in found]) for position, name in enumerate(at)}
        numbers = np.stack([score.detach().cpu().double().numpy() for score in scores], axis=1)
        return Gradients(numbers, {name: _array(leaves[name]) for name in at}, stacked)

    def _backward(
        self, score: "Tensor", leaves: Mapping[str, "Tensor"], at: Sequence[str], keep: bool
    ) -> list[npt.NDArray[np.float32]]:
        import torch

        if not score.requires_grad:
            raise ModelError(
                f"no gradient here: nothing differentiable lies between {', '.join(at)} and the target; {INSTEAD}"
            )
        wanted = [leaves[name] for name in at]
        found = torch.autograd.grad(score.sum(), wanted, retain_graph=keep, allow_unused=True)
        return [
            _array(torch.zeros_like(leaf) if item is None else item) for leaf, item in zip(wanted, found, strict=True)
        ]

    def _tensor(self, value: Array) -> "Tensor":
        import torch

        tensor = torch.from_numpy(
            np.ascontiguousarray(value).copy() if not value.flags.writeable else np.ascontiguousarray(value)
        )
        if self._double and tensor.is_floating_point():
            tensor = tensor.double()
        return tensor.cuda() if torch.cuda.is_available() else tensor


def _capture(leaves: dict[str, "Tensor"], name: str, computed: "Tensor") -> "Tensor":
    """Note a tensor that is differentiated by; it becomes a leaf unless gradients are to flow on, to another one."""
    if not computed.is_floating_point():
        raise ModelError(
            f"no gradient here: {name!r} holds integers; take a layer behind its embedding with --at, or {INSTEAD}"
        )
    leaves[name] = computed if computed.requires_grad else computed.detach().requires_grad_()
    return leaves[name]


def _score(
    target: Target, fetched: Mapping[str, "Tensor"], of: GradientOf, class_axis: int, rules: Mapping[str, "Rule"]
) -> "Tensor":
    """Read a target off torch tensors: (n,)."""
    if of == "logit":
        return read_target(target, fetched)
    import torch

    term = target.terms[0]
    if len(target.terms) != 1 or term.weight != 1 or not isinstance(term, Term | Projection):
        raise UsageError(f"gradient_of {of} needs a single class, which {target.name!r} is not: take logit")
    log_softmax = partial(torch.log_softmax, dim=class_axis + 1)
    chances = _ruled(rules, "LogSoftmax", log_softmax, fetched[term.tensor])
    log_probability = read_target(target, {term.tensor: chances})
    return _ruled(rules, "Exp", torch.exp, log_probability) if of == "probability" else -log_probability


def _ruled(rules: Mapping[str, "Rule"], kind: str, function: Callable[..., Any], x: "Tensor") -> "Tensor":
    """Compute what the graph itself does not hold as if it were an operator of it."""
    computed: Tensor = rules[kind](function, x) if kind in rules else function(x)
    return computed


def read_target(target: Target, fetched: Mapping[str, "Tensor"]) -> "Tensor":
    """Read a target off torch tensors, as `Target.read` does off arrays: (n,)."""
    import torch

    maths = Maths(lambda values: values, lambda numbers, like: torch.from_numpy(numbers).to(like), torch.log, True)
    computed: Tensor = target.compute(fetched, maths)
    return computed


def _array(tensor: "Tensor") -> npt.NDArray[np.float32]:
    values: npt.NDArray[np.float32] = tensor.detach().cpu().float().numpy()
    return values


class torch_errors:  # noqa: N801 - reads as a block
    """Turn what torch raises inside the block into errors of this package."""

    def __enter__(self) -> None:
        """Start the block."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        """Translate an error that is not ours yet."""
        if (
            error is None
            or isinstance(error, AgnosticError)
            or not isinstance(error, RuntimeError | MemoryError | ValueError)
        ):
            return
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if isinstance(error, MemoryError) or "not enough memory" in text or "out of memory" in text.lower():
            raise OutOfMemoryError(
                f"the gradient needs more memory than there is: {text[:200]}; try --batch-size 1"
            ) from error
        raise ModelError(f"the gradient cannot be computed: {text[:300]}; {INSTEAD}") from error

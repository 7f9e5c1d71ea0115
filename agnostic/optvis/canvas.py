"""Where a picture comes from while it is optimised: variables, and the function that makes a picture of them.

A parametrisation is ``(Draws) -> Canvas``; makers of them are in `params`, decorated with `param`. It gives as many
pictures as there are streams to draw from, each from its own stream.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import ParamSpec

from torch import Tensor

from agnostic.optvis.describing import described
from agnostic.optvis.draws import Draws


@dataclass(frozen=True)
class Canvas:
    """Pictures in the making.

    Attributes:
        variables: what is optimised, by name; leaves that require gradients.
        draw: gives the pictures (n, c, h, w) in 0..1; with an alpha channel behind the colours where `alpha` is set.
        alpha: whether the last channel is opacity.
        couples: whether pictures share variables, so that all have to be rendered in one batch.
        learning_rate: Adam's step that suits these variables; None leaves it to `render`.
        constrain: brings the variables back to where they may be, after each step.
        observe: told each step's gradient of the objective with respect to the pictures (n, c, h, w).
        finish: makes of drawn pictures those that are shown, which may have an opacity of their own.
    """

    variables: Mapping[str, Tensor]
    draw: Callable[[], Tensor]
    alpha: bool = False
    couples: bool = False
    learning_rate: float | None = None
    constrain: Callable[[], None] | None = field(default=None, repr=False)
    observe: Callable[[Tensor], None] | None = field(default=None, repr=False)
    finish: Callable[[Tensor], Tensor] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Param:
    """A parametrisation: called with the streams of n pictures it makes their canvas.

    Attributes:
        make: does it.
        name: what it is called in recipes, such as ``image(128, alpha=True)``.
    """

    make: Callable[[Draws], Canvas]
    name: str

    def __call__(self, draws: Draws) -> Canvas:
        """Make a canvas of as many pictures as there are streams."""
        return self.make(draws)


_Arguments = ParamSpec("_Arguments")


def param(maker: Callable[_Arguments, Callable[[Draws], Canvas]]) -> Callable[_Arguments, Param]:
    """Turn a maker of ``(Draws) -> Canvas`` into a maker of parametrisations that know their name."""

    @wraps(maker)
    def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Param:
        return Param(maker(*args, **kwargs), described(maker, args, kwargs))

    return wrapped

"""What a layer makes of a given picture, and what a unit would change in it."""

from difflib import get_close_matches
from typing import Any

from agnostic.errors import UsageError
from agnostic.optvis import objectives
from agnostic.optvis.canvas import Param
from agnostic.optvis.dream import DreamSettings, Normalise, dream
from agnostic.optvis.objective import Objective, as_objective
from agnostic.optvis.params import fft, from_picture
from agnostic.optvis.recipes.combinations import against
from agnostic.optvis.recipes.joining import in_turn
from agnostic.optvis.recipes.registry import Order, recipe
from agnostic.optvis.rendering import Rendering, named
from agnostic.optvis.transforms import caricature as mild
from agnostic.optvis.transforms import jitter, noise, pad, random_crop

# How much a name that is none has to be like a layer's to be meant as one.
_ALIKE = 0.7
# A given picture is changed gently: by small steps, in its low frequencies first, seen nearly whole.
_SMALL_STEPS, _SOFT, _NOISE = 0.005, 1.5, 0.02


@recipe(
    "deepdream", takes="either", picture=True, preset="dream",
    summary="A picture that exaggerates all that a layer, or what a unit, sees in it.",
)  # fmt: skip
def deepdream(
    order: Order,
    *,
    octaves: int = 4,
    octave_scale: float = 1.4,
    step_size: float = 0.01,
    normalise: Normalise = "laplacian",
) -> Rendering:
    """Follow the gradient up from a picture, from its coarse structure to its fine one (Mordvintsev et al. 2015).

    The steps of the preset are shared out among the octaves.

    Args:
        order: the order.
        octaves: how many sizes of the picture are gone through.
        octave_scale: the factor from each to the next.
        step_size: how far pixels go in a step, in root mean square, of 0..1.
        normalise: laplacian gives all frequencies one strength, for soft colours and large patterns; unit leaves them
            as they are.
    """
    picture, steps = order.given_picture(), max(1, order.preset.steps // max(1, octaves))

    def dreamt(part: Order) -> Rendering:
        aim = dream_of(part, part.names[0])
        settings = DreamSettings(octaves, octave_scale, steps, step_size, normalise, part.seed)
        return named(dream(part.lens, aim, picture, settings, part.progress), part.names)

    return in_turn(order.each(), dreamt)


def dream_of(order: Order, name: str) -> Objective:
    """Raise all of a layer, or a unit or class.

    Raises:
        UsageError: it is none of them; the nearest names are offered.
    """
    layers = order.lens.layers
    if name in layers:
        return objectives.deepdream(name)
    try:
        return as_objective(name, order.lens)
    except UsageError:
        if near := get_close_matches(name, layers, n=3, cutoff=_ALIKE):
            raise UsageError(f"unknown layer {name!r}; did you mean {', '.join(map(repr, near))}?") from None
        raise


@recipe(
    "caricature", takes="layers", picture=True, preset="large",
    summary="A new picture of what a layer sees in yours, exaggerated.",
)  # fmt: skip
def caricature(order: Order, *, cossim_pow: float = 1.0) -> Rendering:
    """Draw, from noise, what goes as far as possible in the direction of a picture's activations (Olah et al. 2018).

    Args:
        order: the order.
        cossim_pow: how much being like the picture's activations counts beside being strong; 0 for not at all.
    """
    if cossim_pow < 0:
        raise UsageError(f"--cossim-pow {cossim_pow:g}: expected 0 or more")
    aims = [objectives.caricature(layer, order.given_picture(), cossim_pow) for layer in checked_layers(order)]
    return named(order.render(aims, shaped(order), transforms=mild()), order.names)


@recipe(
    "inversion", takes="layers", picture=True, preset="large",
    summary="What is left of a picture in a layer: a new one with the same activations.",
)  # fmt: skip
def inversion(order: Order, *, smooth: float = 0.05) -> Rendering:
    """Draw, from noise, a picture that a layer cannot tell from the given one (Mahendran & Vedaldi 2015).

    Args:
        order: the order.
        smooth: how much steps between neighbouring pixels count against it, per pixel.
    """
    if smooth < 0:
        raise UsageError(f"--smooth {smooth:g}: expected 0 or more")
    picture = order.given_picture()
    rough = smooth / picture.shape[0] / picture.shape[1] * objectives.total_variation()
    aims = [-objectives.activation_diff(layer, picture) - rough for layer in checked_layers(order)]
    return named(order.render(aims, shaped(order), transforms=[pad(4), jitter(8)]), order.names)


@recipe(
    "accentuate", takes="units", picture=True, preset="large",
    summary="A picture changed until it excites a unit: what it has of it, and what it lacks.",
)  # fmt: skip
def accentuate(order: Order, *, keep: float = 2.0) -> Rendering:
    """Start from a picture and maximise a unit without going far (Hamblin et al. 2024).

    Args:
        order: the order.
        keep: how much it counts to stay near the picture, in units of what is maximised, per unit of root mean square
            difference in 0..1.
    """
    if keep < 0:
        raise UsageError(f"--keep {keep:g}: expected 0 or more")
    picture = order.given_picture()
    near = objectives.input_diff(picture)
    aims = [against(as_objective(name, order.lens), near, keep) for name in order.names]
    canvas = from_picture(picture, basis=fft(sd=0, decay=max(_SOFT, order.preset.decay)), colours=order.colours)
    views = [random_crop(min(order.lens.space.size), 0.9, 0.6), noise(_NOISE)]
    return named(order.render(aims, canvas, transforms=views, learning_rate=_SMALL_STEPS), order.names)


@recipe(
    "texture", takes="layers", picture=True, preset="large",
    summary="A texture that has the style of a picture, as one or several layers together see it.",
)  # fmt: skip
def texture(order: Order) -> Rendering:
    """Draw, from noise, what has the same Gram matrices as a picture (Gatys et al. 2015)."""
    aim = objectives.style(checked_layers(order), order.given_picture())
    return named(order.render([aim]), [" + ".join(order.names)])


def checked_layers(order: Order) -> tuple[str, ...]:
    """Give the names of an order as layers.

    Raises:
        UsageError: one is none; the nearest names are offered.
    """
    for name in order.names:
        order.lens.tensors_of(name)
    return order.names


def shaped(order: Order) -> Param:
    """Store pictures of the shape of the given one, their longer side as long as the preset says."""
    height, width = order.given_picture().shape[:2]
    ratio = order.preset.size / max(height, width)
    sides: dict[str, Any] = {"width": max(1, round(width * ratio)), "height": max(1, round(height * ratio))}
    return order.canvas(**sides)

"""The loop: pictures are drawn, shaken, seen by the model, and moved up the gradient of the objective.

::

    rendering = render(model, channel("fire8/concat", 12), image(128), steps=512, seed=0)
    rendering.picture().save("unit.png")
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from agnostic.engine.autograd import torch_errors
from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.engine.runtime import OutOfMemoryError
from agnostic.errors import AgnosticError, ItemError, LimitError, UsageError
from agnostic.optvis.canvas import Canvas, Param
from agnostic.optvis.draws import CANVAS, TRANSFORMS, Draws
from agnostic.optvis.lens import Lens, Seen
from agnostic.optvis.objective import Objective, Objectives, as_objective
from agnostic.optvis.overrides import gradient_rules
from agnostic.optvis.params.images import image
from agnostic.optvis.transforms import Transform, Transforms, compose, crop_or_pad_to, on_background, standard

Pictures = npt.NDArray[np.float32]
#: Told after each step: the steps done, the steps there are, the mean of the objective.
Watch = Callable[[int, int, float], None]
Stopped = Literal["", "interrupt", "time"]
DEFAULT_BATCH = 16
LEARNING_RATE = 0.05


@dataclass(frozen=True)
class Rendering:
    """What came out.

    Attributes:
        pictures: (n, h, w, c) float32 in 0..1; fewer than were asked for if it was stopped before all were begun.
        snapshots: the pictures after each asked number of steps, those reached.
        values: (steps, n) float32, the objective at each step on the shaken pictures; NaN behind a stop.
        moved: (n,) whether any gradient ever reached the picture; a unit that reaches none is dead.
        stopped: empty if every step was done, else what stopped it: an interrupt or the time limit.
        recipe: what it was made with, as plain values.
        names: what each picture is of, as a target where it is of one; empty where the recipe does not say.
    """

    pictures: Pictures
    snapshots: Mapping[int, Pictures]
    values: Pictures
    moved: npt.NDArray[np.bool_]
    stopped: Stopped
    recipe: Mapping[str, object]
    names: tuple[str, ...] = ()

    def picture(self, number: int = 0) -> Image.Image:
        """Give one picture as a PIL image."""
        return as_picture(self.pictures[number])


def as_picture(values: Pictures) -> Image.Image:
    """Turn (h, w, c) in 0..1 into a picture: grey, colours, or colours with opacity.

    Raises:
        UsageError: it has another number of channels.
    """
    pixels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    if pixels.shape[2] not in (1, 3, 4):
        raise UsageError(f"{pixels.shape[2]} channels make no picture: choose one or three of them")
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def render(
    model: Model | Lens,
    objective: Objectives | Sequence[Objectives],
    param: Param | None = None,
    *,
    transforms: Transforms | None = None,
    steps: int | Sequence[int] = 512,
    views: int = 1,
    learning_rate: float | None = None,
    count: int | None = None,
    streams: Sequence[int] | None = None,
    seed: int = 0,
    redirect_steps: int = 16,
    smooth_pool: bool = False,
    batch_size: int | None = None,
    progress: Watch | None = None,
) -> Rendering:
    """Optimise pictures until they excite what the objective names (Olah, Mordvintsev & Schubert 2017).

    Args:
        model: the model, or a lens over it.
        objective: an objective, a target such as ``"fire8/concat:12"`` or ``"tabby"``, or a function of what is seen; a
            list gives each picture its own.
        param: how pictures are stored; by default `image(128)` in the model's own channels.
        transforms: what pictures are shaken by at each step; Lucid's standard ones by default.
        steps: how many; of several numbers each is a snapshot and the largest the end.
        views: how often each step shakes every picture; the objective is the mean.
        learning_rate: of Adam; by default the canvas's own, else 0.05.
        count: how many pictures; by default one for each objective.
        streams: the number that each picture's random draws come from; 0, 1, … by default.
        seed: of everything random.
        redirect_steps: steps during which a ReLU that stops a picture's whole gradient lets it through; 0 for never.
        smooth_pool: spread the gradient of max-pooling over its window.
        batch_size: pictures per pass, 16 by default; halved when they need more memory than there is.
        progress: told after each step.

    Raises:
        UsageError: a name or a number makes no sense.
        ModelError: the model has no gradient.
        InputError: it takes no picture, or the objective is NaN.
        LimitError: one picture does not fit into memory.
    """
    lens = model if isinstance(model, Lens) else Lens(model)
    aim, number = _aim(objective, lens, count)
    ids = tuple(range(number) if streams is None else streams)
    if len(ids) != number:
        raise UsageError(f"{len(ids)} streams for {number} pictures: expected one each")
    job = _Job(
        lens, aim, param or default_param(lens), compose(standard() if transforms is None else transforms),
        _stops(steps), _counted(views), learning_rate, ids, seed, redirect_steps, smooth_pool, progress or _silent,
    )  # fmt: skip
    return _joined(job, _in_batches(job, batch_size or DEFAULT_BATCH))


def default_param(lens: Lens, size: int = 128) -> Param:
    """Store pictures as the model's input wants them: in photographs' colours, grey, or unrelated channels."""
    channels = lens.space.channels
    return image(size) if channels == 3 else image(size, channels=channels)


def _silent(_done: int, _steps: int, _value: float) -> None:
    """Watch nothing."""


def _aim(given: Objectives | Sequence[Objectives], lens: Lens, count: int | None) -> tuple[Objective, int]:
    """Make one objective of what was given, and say how many pictures it is for."""
    if isinstance(given, Sequence) and not isinstance(given, str):
        if count not in (None, len(given)) or not given:
            raise UsageError(f"{len(given)} objectives for {count or 'any number of'} pictures: expected one each")
        return Objective.each([as_objective(item, lens) for item in given]), len(given)
    if count is not None and count < 1:
        raise UsageError(f"count={count}: expected at least one picture")
    return as_objective(given, lens), count or 1


def _stops(steps: int | Sequence[int]) -> tuple[int, ...]:
    stops = tuple(sorted({steps} if isinstance(steps, int) else set(steps)))
    if not stops or stops[0] < 1:
        raise UsageError(f"steps={steps}: expected at least one step")
    return stops


def _counted(views: int) -> int:
    if views < 1:
        raise UsageError(f"views={views}: expected at least one view of each picture")
    return views


@dataclass(frozen=True)
class _Job:
    """What was asked for."""

    lens: Lens
    objective: Objective
    param: Param
    transform: Transform
    stops: tuple[int, ...]
    views: int
    learning_rate: float | None
    streams: tuple[int, ...]
    seed: int
    redirect_steps: int
    smooth_pool: bool
    progress: Watch

    @property
    def steps(self) -> int:
        return self.stops[-1]

    @property
    def recipe(self) -> dict[str, object]:
        return {
            "objective": self.objective.name,
            "parametrisation": self.param.name,
            "transforms": self.transform.name,
            "steps": self.steps,
            "views": self.views,
            "learning_rate": self.learning_rate,
            "redirect_steps": self.redirect_steps,
            "smooth_pool": self.smooth_pool,
            "pre_activation": self.lens.pre_activation,
            "seed": self.seed,
        }


@dataclass
class _Batch:
    """Some of the pictures on their way."""

    job: _Job
    rows: range
    canvas: Canvas
    draws: Draws
    values: Pictures
    moved: npt.NDArray[np.bool_]
    snapshots: dict[int, Pictures] = field(default_factory=dict)
    wanted: dict[str, None] = field(default_factory=dict)
    memory: dict[Any, Any] = field(default_factory=dict)
    fit: Transform | None = None
    stopped: Stopped = ""

    @classmethod
    def of(cls, job: _Job, rows: range) -> "_Batch":
        streams = [job.streams[row] for row in rows]
        canvas = job.param(Draws(job.seed, streams, CANVAS))
        values = np.full((job.steps, len(rows)), np.nan, np.float32)
        return cls(job, rows, canvas, Draws(job.seed, streams, TRANSFORMS), values, np.zeros(len(rows), np.bool_))

    def pictures(self) -> Pictures:
        with torch.no_grad():
            drawn = self.canvas.draw()
            shown = drawn if self.canvas.finish is None else self.canvas.finish(drawn)
        return np.ascontiguousarray(shown.movedim(1, -1).cpu().float().numpy())

    def score(self, drawn: Tensor, step: int) -> Tensor:
        """Shake pictures and look at them: (n,)."""
        job, before = self.job, self.draws.bookmark()
        shown = self.shaken(drawn, self.draws)
        rules = gradient_rules(redirect=step < job.redirect_steps, smooth_pool=job.smooth_pool)
        seen = Seen(
            job.lens, drawn, shown, numbers=self.rows, count=len(job.streams), wanted=self.wanted, rules=rules,
            alpha=drawn[:, -1:] if self.canvas.alpha else None, memory=self.memory,
            shake=lambda others: self.shaken(others, before()),
        )  # fmt: skip
        return job.objective(seen)

    def shaken(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Transform pictures into what the model is shown."""
        shaken = self.job.transform(pictures, draws)
        if self.canvas.alpha and shaken.shape[1] > self.job.lens.space.channels:
            shaken = on_background()(shaken, draws)
        return shaken if self.fit is None else self.fit(shaken, draws)

    def first_score(self, drawn: Tensor) -> Tensor:
        """Look for the first time: a model that does not take this size is shown pictures cut or padded to its own."""
        try:
            return self.score(drawn, 0)
        except OutOfMemoryError:
            raise
        except AgnosticError:
            self.fit = crop_or_pad_to(*self.job.lens.space.size)
            self.wanted.clear()
            self.memory.clear()
            return self.score(drawn, 0)


def _in_batches(job: _Job, size: int) -> list[_Batch]:
    """Render the pictures batch by batch, each in its own draws, so that the size of batches changes nothing else."""
    total = len(job.streams)
    done: list[_Batch] = []
    start = 0
    while start < total and not (done and done[-1].stopped):
        batch = _Batch.of(job, range(start, min(start + size, total)))
        if batch.canvas.couples or job.objective.couples:
            batch = _Batch.of(job, range(total))
        try:
            _optimise(batch, len(done) * job.steps, -(-total // size) * job.steps)
        except OutOfMemoryError:
            if len(batch.rows) == 1 or len(batch.rows) > size:
                raise
            size = (len(batch.rows) + 1) // 2
            continue
        done.append(batch)
        start = batch.rows.stop
    return done


def _optimise(batch: _Batch, before: int, steps: int) -> None:
    """Move the pictures; an interrupt or the end of the time keeps what there is."""
    job = batch.job
    variables = list(batch.canvas.variables.values())
    rate = job.learning_rate or batch.canvas.learning_rate or LEARNING_RATE
    optimiser = torch.optim.Adam(variables, lr=rate, fused=True)
    try:
        for step in range(job.steps):
            if (deadline := current()) is not None:
                deadline.check()
            value = _step(batch, optimiser, step)
            if step + 1 in job.stops:
                batch.snapshots[step + 1] = batch.pictures()
            job.progress(before + step + 1, steps, value)
    except KeyboardInterrupt:
        batch.stopped = "interrupt"
    except OutOfMemoryError:
        raise
    except LimitError:
        batch.stopped = "time"


def _step(batch: _Batch, optimiser: torch.optim.Optimizer, step: int) -> float:
    optimiser.zero_grad(set_to_none=True)
    batch.draws.progress = step / batch.job.steps
    with torch.enable_grad(), torch_errors():
        drawn = batch.canvas.draw()
        # Gradients of all views meet at the pictures and go to the variables once.
        pictures = drawn.detach().requires_grad_()
        scores = _look(batch, pictures, step)
        if pictures.grad is not None:
            drawn.backward(pictures.grad)  # type: ignore[no-untyped-call]
            _notice(batch, -pictures.grad)
    batch.values[step] = scores.cpu().numpy()
    optimiser.step()
    if batch.canvas.constrain is not None:
        batch.canvas.constrain()
    return float(batch.values[step].mean())


def _look(batch: _Batch, pictures: Tensor, step: int) -> Tensor:
    """Score each view and leave the pictures their gradient: (n,), the mean over the views."""
    views, found = batch.job.views, []
    for view in range(views):
        scores = batch.score(pictures, step) if step or view else batch.first_score(pictures)
        _check(batch, scores, step)
        # A sum: what one picture gets does not depend on how many there are.
        if scores.requires_grad:
            (-scores.sum() / views).backward()  # type: ignore[no-untyped-call]
        found.append(scores.detach())
    return torch.stack(found).mean(dim=0)


def _notice(batch: _Batch, gradient: Tensor) -> None:
    batch.moved |= (gradient.flatten(1) != 0).any(dim=1).cpu().numpy()
    if batch.canvas.observe is not None:
        batch.canvas.observe(gradient)


def _check(batch: _Batch, scores: Tensor, step: int) -> None:
    if not bool(torch.isfinite(scores).all()):
        raise ItemError(
            f"{batch.job.objective.name} is not finite at step {step}: check the preprocessing with "
            "`agnostic inspect`, or take a smaller learning rate"
        )


def _joined(job: _Job, batches: Sequence[_Batch]) -> Rendering:
    reached = [stop for stop in job.stops if all(stop in batch.snapshots for batch in batches)]
    snapshots = {stop: np.concatenate([batch.snapshots[stop] for batch in batches]) for stop in reached}
    return Rendering(
        np.concatenate([batch.pictures() for batch in batches]),
        snapshots,
        np.concatenate([batch.values for batch in batches], axis=1),
        np.concatenate([batch.moved for batch in batches]),
        batches[-1].stopped,
        job.recipe,
    )


def named(rendering: Rendering, names: Sequence[str]) -> Rendering:
    """Say what each picture is of; of more names than there are pictures the first hold."""
    return replace(rendering, names=tuple(names[: len(rendering.pictures)]))


def with_recipe(rendering: Rendering, **more: object) -> Rendering:
    """Add to what is recorded."""
    return replace(rendering, recipe={**rendering.recipe, **more})

